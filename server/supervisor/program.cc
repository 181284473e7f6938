#include "server/supervisor/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::supervisor {

OpenProgram::OpenProgram(const std::string& path) : fd_(open(path.c_str(), O_PATH | O_CLOEXEC)) {}

OpenProgram OpenProgram::Of(int fd) {
  OpenProgram program;
  program.fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return program;
}

OpenProgram::~OpenProgram() {
  if (fd_ >= 0) close(fd_);
}

std::string ProgramPath(std::string_view name, std::string_view search_path,
                        const std::string& self) {
  std::vector<std::string> candidates;
  if (name.find('/') != std::string_view::npos) {
    candidates.emplace_back(name);
  } else if (!name.empty()) {
    for (const std::string_view folder : StrSplit(search_path, ':', absl::SkipEmpty())) {
      candidates.push_back(StrCat(folder, "/", name));
    }
  }
  for (const std::string& candidate : candidates) {
    if (access(candidate.c_str(), X_OK) != 0) continue;
    std::error_code error;
    const std::filesystem::path path = std::filesystem::absolute(candidate, error);
    if (!error) return path.lexically_normal().string();
  }
  return self;
}

}  // namespace grove::supervisor
