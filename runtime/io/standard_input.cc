#include "runtime/io/standard_input.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

absl::Status OnlyRead() {
  return absl::FailedPreconditionError("standard input is only read");
}

// A descriptor of this process's own for what `fd` reads from.
int OpenAnew(int fd, mode_t mode) {
  if (S_ISFIFO(mode) || S_ISCHR(mode)) {
    const std::string path = absl::StrCat("/proc/self/fd/", fd);
    const int anew = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (anew >= 0) return anew;
  }
  return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

}  // namespace

absl::StatusOr<StandardInput> StandardInput::Open(int fd) {
  struct stat file;
  if (fstat(fd, &file) != 0) return ErrnoStatus(errno, "standard input");
  const int own = OpenAnew(fd, file.st_mode);
  if (own < 0) return ErrnoStatus(errno, "standard input");
  absl::StatusOr<ForeignDescriptor> waited = ForeignDescriptor::Register(own);
  if (!waited.ok()) {
    close(own);
    return waited.status();
  }
  return StandardInput(own, *std::move(waited), S_ISSOCK(file.st_mode));
}

StandardInput::StandardInput(StandardInput&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      waited_(std::move(other.waited_)),
      socket_(other.socket_) {}

absl::StatusOr<size_t> StandardInput::Read(std::span<char> buffer) {
  for (;;) {
    if (absl::Status ready = waited_.AwaitReadable(); !ready.ok()) return ready;
    const ssize_t got = socket_ ? recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT)
                                : read(fd_, buffer.data(), buffer.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR && errno != EAGAIN) return ErrnoStatus(errno, "read standard input");
  }
}

absl::Status StandardInput::Write(std::string_view /*bytes*/) {
  return OnlyRead();
}

absl::Status StandardInput::Writev(std::span<iovec> /*parts*/) {
  return OnlyRead();
}

absl::Status StandardInput::ShutdownWrite() {
  return OnlyRead();
}

void StandardInput::Close() {
  if (fd_ < 0) return;
  waited_.Unregister();
  close(std::exchange(fd_, -1));
}

}  // namespace grove
