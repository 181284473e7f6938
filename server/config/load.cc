#include "server/config/load.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/config_file.h"
#include "server/config/converter.h"
#include "server/config/yaml_text.h"
#include "yaml-cpp/yaml.h"

namespace grove::config {
namespace {

bool IsPattern(const std::string& path) {
  return path.find_first_of("*?[") != std::string::npos;
}

// For a folder in front of a pattern, which is none.
std::string Escaped(const std::string& path) {
  std::string escaped;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') escaped.push_back('\\');
    escaped.push_back(c);
  }
  return escaped;
}

// By name. kInternal: a folder cannot be read.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& pattern) {
  glob_t found = {};
  const auto closer = absl::MakeCleanup([&found] { globfree(&found); });
  const int result = glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  if (result == GLOB_NOMATCH) return std::vector<std::string>();
  if (result != 0) return absl::InternalError("a folder of it cannot be read");
  std::vector<std::string> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  std::sort(files.begin(), files.end());
  return files;
}

// Reads a file and, behind it, those that it includes.
class Loading {
 public:
  explicit Loading(Problems* problems) : problems_(*problems) {}

  // `named_at` is where the file was named.
  void Read(const std::string& path, const Place& named_at, int depth);
  void Parse(std::string_view text, const std::string& path, int file);
  bool includes() const { return config_.include_size() > 0; }
  config::v1::Config Take() {
    config_.clear_include();
    return std::move(config_);
  }

 private:
  void Include(const std::string& entry, const Place& place, const std::string& folder, int depth);

  Problems& problems_;
  config::v1::Config config_;
  size_t cost_bytes_ = 0;
  // By device and inode: where each was named.
  std::map<std::pair<dev_t, ino_t>, Place> read_;
};

void Loading::Parse(std::string_view text, const std::string& path, int file) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Converter converter(file, folder, &cost_bytes_, &problems_);
  if (text.size() > kConfigFileBytesMax) {
    return problems_.AddAt({file}, "",
                           StrCat("a config file has at most ", kConfigFileBytesMax, " bytes"));
  }
  try {
    const YamlText yaml = ReadYaml(std::string(text));
    if (yaml.second) {
      problems_.AddAt(converter.PlaceOf(*yaml.second), "",
                      "a second document starts here; a config file has one");
    }
    if (!yaml.document.IsNull()) converter.Convert(yaml.document, &config_);
  } catch (const YAML::Exception& e) {
    problems_.AddAt(converter.PlaceOf(e.mark), "", e.msg);
  }
}

void Loading::Read(const std::string& path, const Place& named_at, int depth) {
  absl::StatusOr<FileContent> content = ReadRegularFile("config file", path, kConfigFileBytesMax);
  if (!content.ok()) return problems_.AddAt(named_at, "", content.status());
  const auto [first, is_new] = read_.emplace(content->identity, named_at);
  if (!is_new) {
    const std::string where = problems_.sources().Text(first->second);
    return problems_.AddAt(named_at, "include",
                           StrCat("'", path, "' is read already, ",
                                  where.empty() ? "as the config file itself" : "from " + where,
                                  "; a file is read once"));
  }
  if (read_.size() > kConfigFilesMax) {
    return problems_.AddAt(named_at, "",
                           StrCat("a config has at most ", kConfigFilesMax, " files"));
  }
  const int included_before = config_.include_size();
  Parse(content->text, path, problems_.sources().AddFile(path));
  const int included = config_.include_size();
  const std::string folder = std::filesystem::path(path).parent_path().string();
  for (int i = included_before; i < included; ++i) {
    const Place place = problems_.sources().Nearest(StrCat("include[", i, "]"));
    Include(std::string(config_.include(i)), place, folder, depth + 1);
  }
}

void Loading::Include(const std::string& entry, const Place& place, const std::string& folder,
                      int depth) {
  if (depth > kIncludeDepthMax) {
    return problems_.AddAt(place, "",
                           StrCat("files include files ", kIncludeDepthMax, " deep at most"));
  }
  if (!IsPattern(entry)) {
    return Read((std::filesystem::path(folder) / entry).string(), place, depth);
  }
  const std::string pattern =
      entry.starts_with('/') || folder.empty() ? entry : StrCat(Escaped(folder), "/", entry);
  absl::StatusOr<std::vector<std::string>> files = FilesOf(pattern);
  if (!files.ok()) {
    return problems_.AddAt(place, "", StrCat("'", entry, "': ", Std(files.status().message())));
  }
  for (const std::string& file : *files) Read(file, place, depth);
}

}  // namespace

config::v1::Config LoadConfigFile(const std::string& path, Problems* problems) {
  Loading loading(problems);
  loading.Read(path, {}, 1);
  return loading.Take();
}

absl::StatusOr<config::v1::Config> LoadConfigFile(const std::string& path) {
  Problems problems;
  config::v1::Config config = LoadConfigFile(path, &problems);
  if (!problems.empty()) return problems.ToStatus();
  return config;
}

absl::StatusOr<config::v1::Config> ParseConfig(std::string_view text, std::string_view origin) {
  Problems problems;
  Loading loading(&problems);
  const std::string name(origin);
  loading.Parse(text, name, problems.sources().AddFile(name));
  if (loading.includes()) problems.Add("include", "a text by itself includes no files");
  if (!problems.empty()) return problems.ToStatus();
  return loading.Take();
}

}  // namespace grove::config
