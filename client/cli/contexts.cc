#include "client/cli/contexts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "client/cli/arguments.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {
namespace {

constexpr size_t kFileBytesMax = 1024 * 1024;

struct Field {
  const char* key;
  std::string Context::*member;
};

constexpr Field kFields[] = {
    {"address", &Context::address},       {"ca_cert", &Context::ca_cert},
    {"token_file", &Context::token_file}, {"client_cert", &Context::client_cert},
    {"client_key", &Context::client_key},
};

// "PATH:LINE: problem".
absl::Status Malformed(const std::string& path, const YAML::Mark& mark, std::string_view problem) {
  return absl::InvalidArgumentError(
      StrCat(path, ":", mark.is_null() ? 1 : mark.line + 1, ": ", problem));
}

absl::Status UnknownKey(const std::string& path, const YAML::Node& key,
                        const std::vector<std::string>& known) {
  const std::string near = NearestName(key.Scalar(), known);
  std::string problem = StrCat("unknown key \"", key.Scalar(), "\"");
  if (!near.empty()) StrAppend(&problem, "; did you mean ", near, "?");
  return Malformed(path, key.Mark(), problem);
}

absl::StatusOr<Context> ParseContext(const YAML::Node& node, const std::string& path) {
  if (!node.IsMap()) return Malformed(path, node.Mark(), "a context is a map with an address");
  Context context;
  std::vector<std::string> known;
  for (const Field& field : kFields) known.emplace_back(field.key);
  for (const auto& pair : node) {
    const Field* found = nullptr;
    for (const Field& field : kFields) {
      if (pair.first.Scalar() == field.key) found = &field;
    }
    if (found == nullptr) return UnknownKey(path, pair.first, known);
    if (!pair.second.IsScalar()) {
      return Malformed(path, pair.second.Mark(), StrCat(found->key, ": must be a text"));
    }
    context.*(found->member) = pair.second.Scalar();
  }
  if (context.address.empty()) return Malformed(path, node.Mark(), "address: is missing");
  return context;
}

absl::Status ParseMap(const YAML::Node& node, const std::string& path, Contexts& contexts) {
  if (!node.IsMap()) return Malformed(path, node.Mark(), "contexts: must be a map by name");
  for (const auto& pair : node) {
    absl::StatusOr<Context> context = ParseContext(pair.second, path);
    if (!context.ok()) return context.status();
    if (!contexts.by_name.emplace(pair.first.Scalar(), *std::move(context)).second) {
      return Malformed(path, pair.first.Mark(),
                       StrCat("context \"", pair.first.Scalar(), "\" stands twice"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Contexts> ParseRoot(const YAML::Node& root, const std::string& path) {
  Contexts contexts;
  if (root.IsNull()) return contexts;
  if (!root.IsMap()) return Malformed(path, root.Mark(), "must be a map");
  for (const auto& pair : root) {
    const std::string& key = pair.first.Scalar();
    if (key == "current") {
      if (!pair.second.IsScalar()) {
        return Malformed(path, pair.second.Mark(), "current: must be a context's name");
      }
      contexts.current = pair.second.Scalar();
    } else if (key == "contexts") {
      absl::Status status = ParseMap(pair.second, path, contexts);
      if (!status.ok()) return status;
    } else {
      return UnknownKey(path, pair.first, {"current", "contexts"});
    }
  }
  const YAML::Node current = root["current"];
  if (!contexts.current.empty() && contexts.by_name.count(contexts.current) == 0) {
    return Malformed(path, current.Mark(),
                     StrCat("current: there is no context \"", contexts.current, "\""));
  }
  return contexts;
}

absl::Status WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, StrCat("write ", path));
    text.remove_prefix(static_cast<size_t>(count));
  }
  if (fsync(fd) != 0) return ErrnoStatus(errno, StrCat("fsync ", path));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ContextsPath(const Environment& environment) {
  const auto value = [&](const char* name) { return environment(name).value_or(""); };
  if (const std::string path = value("GROVECTL_CONFIG"); !path.empty()) return path;
  // XDG asks that a relative path be ignored.
  if (const std::string base = value("XDG_CONFIG_HOME"); base.starts_with("/")) {
    return base + "/grove/config.yaml";
  }
  if (const std::string home = value("HOME"); home.starts_with("/")) {
    return home + "/.config/grove/config.yaml";
  }
  return absl::FailedPreconditionError(
      "contexts need a file: set GROVECTL_CONFIG, XDG_CONFIG_HOME or HOME");
}

absl::StatusOr<Contexts> ParseContexts(const std::string& text, const std::string& path) {
  try {
    return ParseRoot(YAML::Load(text), path);
  } catch (const YAML::Exception& error) {
    return Malformed(path, error.mark, error.msg);
  }
}

absl::StatusOr<Contexts> ReadContexts(const std::string& path) {
  absl::StatusOr<std::string> text = ReadWholeFile(path, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return Contexts();
  if (!text.ok()) return text.status();
  return ParseContexts(*text, path);
}

std::string ContextsText(const Contexts& contexts) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  if (!contexts.current.empty()) out << YAML::Key << "current" << YAML::Value << contexts.current;
  out << YAML::Key << "contexts" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, context] : contexts.by_name) {
    out << YAML::Key << name << YAML::Value << YAML::BeginMap;
    for (const Field& field : kFields) {
      const std::string& value = context.*(field.member);
      if (!value.empty()) out << YAML::Key << field.key << YAML::Value << value;
    }
    out << YAML::EndMap;
  }
  out << YAML::EndMap << YAML::EndMap;
  return std::string(out.c_str(), out.size()) + "\n";
}

absl::Status WriteContexts(const std::string& path, const Contexts& contexts) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), StrCat("make ", folder.string()));
  // A reader sees the old file or the new one.
  std::string fresh = path + ".XXXXXX";
  const int fd = mkostemp(fresh.data(), O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, StrCat("create ", fresh));
  // mkostemp made it 0600.
  absl::Status status = WriteAll(fd, ContextsText(contexts), fresh);
  close(fd);
  if (status.ok() && std::rename(fresh.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, StrCat("rename ", fresh, " to ", path));
  }
  if (!status.ok()) unlink(fresh.c_str());
  return status;
}

absl::StatusOr<Context> FindContext(const Contexts& contexts, const std::string& name,
                                    const std::string& path) {
  const auto found = contexts.by_name.find(name);
  if (found != contexts.by_name.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [each, context] : contexts.by_name) names.push_back(each);
  const std::string near = NearestName(name, names);
  return UsageError(StrCat("there is no context \"", name, "\" in ", path,
                           near.empty() ? "" : StrCat("; did you mean ", near, "?")));
}

}  // namespace grove::client::cli
