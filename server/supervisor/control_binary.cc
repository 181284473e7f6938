#include "server/supervisor/control_binary.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace grove::supervisor {
namespace {

constexpr absl::string_view kControlName = "grove-control";

bool IsProgram(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

absl::string_view FolderOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? absl::string_view() : path.substr(0, slash);
}

}  // namespace

absl::StatusOr<std::string> FindControlBinary(absl::string_view wish, absl::string_view self,
                                              absl::string_view search_path) {
  if (!wish.empty()) {
    std::string path(wish);
    if (IsProgram(path)) return path;
    return absl::NotFoundError(
        absl::StrCat("--control_binary=", path, " is not an executable file"));
  }
  const absl::string_view folder = FolderOf(self);
  std::vector<std::string> candidates = {absl::StrCat(folder, "/", kControlName),
                                         absl::StrCat(FolderOf(folder), "/", kControlName)};
  for (const absl::string_view entry : absl::StrSplit(search_path, ':', absl::SkipEmpty())) {
    candidates.push_back(absl::StrCat(entry, "/", kControlName));
  }
  for (const std::string& candidate : candidates) {
    if (IsProgram(candidate)) return candidate;
  }
  return absl::NotFoundError(absl::StrCat("cannot find ", kControlName, " (looked for ",
                                          absl::StrJoin(candidates, ", "),
                                          "); name it with --control_binary"));
}

}  // namespace grove::supervisor
