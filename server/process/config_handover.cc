#include "server/process/config_handover.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"

namespace grove::process {
namespace {

absl::Status TooLarge(size_t bytes) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "the resolved config has ", bytes, " bytes; at most ", kHandoverBytesMax, " go to control"));
}

}  // namespace

absl::StatusOr<int> ConfigToMemfd(const config::v1::Config& config) {
  const std::string bytes = config.SerializeAsString();
  if (bytes.size() > kHandoverBytesMax) return TooLarge(bytes.size());
  const int fd = memfd_create("grove-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return ErrnoStatus(errno, "memfd_create for the config");
  auto closer = absl::MakeCleanup([fd] { close(fd); });
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t put = write(fd, bytes.data() + written, bytes.size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoStatus(errno, "write the config's memory file");
    written += static_cast<size_t>(put);
  }
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return ErrnoStatus(errno, "seal the config's memory file");
  }
  std::move(closer).Cancel();
  return fd;
}

absl::StatusOr<config::v1::Config> ConfigFromFd(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return ErrnoStatus(errno, absl::StrCat("config from descriptor ", fd));
  }
  if (info.st_size > static_cast<off_t>(kHandoverBytesMax)) return TooLarge(info.st_size);
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t used = 0;
  while (used < bytes.size()) {
    const ssize_t got = pread(fd, bytes.data() + used, bytes.size() - used, used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("read config descriptor ", fd));
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  config::v1::Config config;
  if (used != bytes.size() || !config.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat("descriptor ", fd, " holds no serialised config"));
  }
  return config;
}

}  // namespace grove::process
