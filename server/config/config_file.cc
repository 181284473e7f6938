#include "server/config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::config {

absl::StatusOr<FileContent> ReadRegularFile(const std::string& what, const std::string& path,
                                            size_t bytes_max) {
  const std::string named = StrCat(what, " ", path);
  // O_NONBLOCK: a FIFO would hold the open.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ErrnoStatus(errno, named);
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoStatus(errno, named);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(StrCat(named, ": no regular file"));
  }
  FileContent content{std::string(bytes_max + 1, '\0'), {info.st_dev, info.st_ino}};
  size_t used = 0;
  while (used < content.text.size()) {
    const ssize_t got = read(fd, content.text.data() + used, content.text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, named);
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  if (used > bytes_max) {
    return absl::InvalidArgumentError(StrCat(named, ": it may have at most ", bytes_max, " bytes"));
  }
  content.text.resize(used);
  return content;
}

}  // namespace grove::config
