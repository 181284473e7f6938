#include "server/supervisor/control_binary.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::supervisor {
namespace {

constexpr std::string_view kControlName = "grove-control";

bool IsProgram(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

std::string_view FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace

absl::StatusOr<std::string> FindControlBinary(std::string_view wish, std::string_view self,
                                              std::string_view search_path) {
  if (!wish.empty()) {
    std::string path(wish);
    if (IsProgram(path)) return path;
    return absl::NotFoundError(StrCat("--control_binary=", path, " is not an executable file"));
  }
  const std::string_view folder = FolderOf(self);
  std::vector<std::string> candidates = {StrCat(folder, "/", kControlName),
                                         StrCat(FolderOf(folder), "/", kControlName)};
  for (const std::string_view entry : StrSplit(search_path, ':', absl::SkipEmpty())) {
    candidates.push_back(StrCat(entry, "/", kControlName));
  }
  for (const std::string& candidate : candidates) {
    if (IsProgram(candidate)) return candidate;
  }
  return absl::NotFoundError(StrCat("cannot find ", kControlName, " (looked for ",
                                    absl::StrJoin(candidates, ", "),
                                    "); name it with --control_binary"));
}

}  // namespace grove::supervisor
