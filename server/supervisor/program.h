// Program: the executables that this process and its grove-control are, on disk and open.
//
// What stands on disk may be another one tomorrow: the open files are what control is started from,
// so that it is always of the supervisor's build, and what an upgrade that fails goes back to.
#ifndef GROVE_SERVER_SUPERVISOR_PROGRAM_H_
#define GROVE_SERVER_SUPERVISOR_PROGRAM_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grove::supervisor {

// A file that can be executed though its name is gone.
class OpenProgram {
 public:
  OpenProgram() = default;
  // No file: fd() is -1, and there is but the name.
  explicit OpenProgram(const std::string& path);
  // A copy of `fd`, which is one.
  static OpenProgram Of(int fd);
  OpenProgram(OpenProgram&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenProgram& operator=(OpenProgram&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OpenProgram();

  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Program {
  std::string path;  // as it was started, absolute: where an upgrade looks for the next one
  std::vector<std::string> arguments;
  OpenProgram open;
  std::string control_path;
  OpenProgram control;
};

// Where `name`, argv[0], was found: itself made absolute if it has a slash, else in `search_path`.
// `self`, the executable's own path, if it is found nowhere. A symbolic link stays one: what it
// points to may be a newer program by the time of an upgrade.
std::string ProgramPath(std::string_view name, std::string_view search_path,
                        const std::string& self);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_PROGRAM_H_
