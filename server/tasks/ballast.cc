#include "server/tasks/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/switch/abseil_text.h"

namespace grove::tasks {

bool Ballast::IsHeld(int64_t bytes) const {
  struct stat file = {};
  return stat(path_.c_str(), &file) == 0 && file.st_size >= bytes;
}

absl::Status Ballast::Make(int64_t bytes) const {
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::UnavailableError(StrCat("open ", path_, ": ", strerror(errno)));
  const int error = bytes == 0 ? 0 : posix_fallocate(fd, 0, bytes);
  close(fd);
  if (error == 0) return absl::OkStatus();
  // What it got is needed elsewhere.
  unlink(path_.c_str());
  const std::string text = StrCat("allocate ", path_, ": ", strerror(error));
  return error == ENOSPC || error == EDQUOT || error == EFBIG ? absl::ResourceExhaustedError(text)
                                                              : absl::UnavailableError(text);
}

bool Ballast::ThrowOff(int64_t bytes_left) const {
  struct stat file = {};
  if (stat(path_.c_str(), &file) != 0 || file.st_size <= bytes_left) return false;
  return (bytes_left > 0 ? truncate(path_.c_str(), bytes_left) : unlink(path_.c_str())) == 0;
}

}  // namespace grove::tasks
