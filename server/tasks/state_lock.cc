#include "server/tasks/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tasks {
namespace {

// Always the same length: a shorter one would leave the end of a longer one.
constexpr char kUseFormat[] = "starts=%020d closed=%d\n";

absl::Status FileError(int error, const std::string& message) {
  const std::string text = StrCat(message, ": ", strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  return error == EACCES || error == EROFS || error == EPERM ? absl::PermissionDeniedError(text)
                                                             : absl::UnavailableError(text);
}

std::string LockPath(const std::string& state_dir) {
  return state_dir + "/tasks.lock";
}

}  // namespace

absl::StatusOr<StateLock> StateLock::Take(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) return FileError(error.value(), "create the state directory " + state_dir);
  const std::string path = LockPath(state_dir);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return FileError(errno, "open the lock file " + path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return StateLock(state_dir, fd);
  const int lock_error = errno;
  close(fd);
  if (lock_error != EWOULDBLOCK) return FileError(lock_error, "lock " + path);
  return absl::FailedPreconditionError(
      StrCat("another daemon uses the state directory ", state_dir,
             "; stop it, or give this one a --state_dir of its own"));
}

StateLock::StateLock(StateLock&& other) noexcept
    : state_dir_(std::move(other.state_dir_)), fd_(std::exchange(other.fd_, -1)) {}

StateLock& StateLock::operator=(StateLock&& other) noexcept {
  std::swap(state_dir_, other.state_dir_);
  std::swap(fd_, other.fd_);
  return *this;
}

StateLock::~StateLock() {
  if (fd_ >= 0) close(fd_);
}

StateLock::Use StateLock::LastUse() const {
  char text[64] = {};
  if (pread(fd_, text, sizeof(text) - 1, 0) <= 0) return {};
  uint64_t starts = 0;
  int closed = 1;
  if (sscanf(text, "starts=%" SCNu64 " closed=%d", &starts, &closed) != 2) return {};
  return {.starts = starts, .closed = closed != 0};
}

absl::Status StateLock::Remember(const Use& use) const {
  const std::string text = absl::StrFormat(kUseFormat, use.starts, use.closed ? 1 : 0);
  if (pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
      fdatasync(fd_) == 0) {
    return absl::OkStatus();
  }
  return FileError(errno, "write " + LockPath(state_dir_));
}

bool StateLock::IsInPlace() const {
  struct stat at_path = {};
  struct stat held = {};
  return stat(LockPath(state_dir_).c_str(), &at_path) == 0 && fstat(fd_, &held) == 0 &&
         at_path.st_ino == held.st_ino && at_path.st_dev == held.st_dev;
}

absl::Status StateLock::Renew() {
  if (IsInPlace()) return absl::OkStatus();
  const Use use = LastUse();
  auto renewed = Take(state_dir_);
  if (!renewed.ok()) return renewed.status();
  *this = *std::move(renewed);
  return Remember(use);
}

}  // namespace grove::tasks
