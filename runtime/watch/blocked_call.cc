#include "runtime/watch/blocked_call.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grove {
namespace {

enum class FirstArgument : uint8_t { kDescriptor, kOther };

struct CallName {
  long number;
  const char* name;
  FirstArgument first;
};

constexpr auto kFd = FirstArgument::kDescriptor;
constexpr auto kOther = FirstArgument::kOther;

// The calls that can take long: those that wait, and those that reach a disk.
constexpr CallName kCalls[] = {
    {SYS_read, "read", kFd},
    {SYS_write, "write", kFd},
    {SYS_pread64, "pread64", kFd},
    {SYS_pwrite64, "pwrite64", kFd},
    {SYS_readv, "readv", kFd},
    {SYS_writev, "writev", kFd},
    {SYS_preadv, "preadv", kFd},
    {SYS_pwritev, "pwritev", kFd},
    {SYS_preadv2, "preadv2", kFd},
    {SYS_pwritev2, "pwritev2", kFd},
    {SYS_close, "close", kFd},
    {SYS_fsync, "fsync", kFd},
    {SYS_fdatasync, "fdatasync", kFd},
    {SYS_sync_file_range, "sync_file_range", kFd},
    {SYS_syncfs, "syncfs", kFd},
    {SYS_ftruncate, "ftruncate", kFd},
    {SYS_fallocate, "fallocate", kFd},
    {SYS_fstat, "fstat", kFd},
    {SYS_getdents64, "getdents64", kFd},
    {SYS_flock, "flock", kFd},
    {SYS_fcntl, "fcntl", kFd},
    {SYS_ioctl, "ioctl", kFd},
    {SYS_sendfile, "sendfile", kFd},
    {SYS_splice, "splice", kFd},
    {SYS_copy_file_range, "copy_file_range", kFd},
    {SYS_connect, "connect", kFd},
    {SYS_accept, "accept", kFd},
    {SYS_accept4, "accept4", kFd},
    {SYS_recvfrom, "recvfrom", kFd},
    {SYS_recvmsg, "recvmsg", kFd},
    {SYS_recvmmsg, "recvmmsg", kFd},
    {SYS_sendto, "sendto", kFd},
    {SYS_sendmsg, "sendmsg", kFd},
    {SYS_sendmmsg, "sendmmsg", kFd},
    {SYS_epoll_pwait, "epoll_pwait", kFd},
    {SYS_io_uring_enter, "io_uring_enter", kFd},
    {SYS_openat, "openat", kOther},
    {SYS_newfstatat, "newfstatat", kOther},
    {SYS_statx, "statx", kOther},
    {SYS_sync, "sync", kOther},
    {SYS_ppoll, "ppoll", kOther},
    {SYS_pselect6, "pselect6", kOther},
    {SYS_futex, "futex", kOther},
    {SYS_nanosleep, "nanosleep", kOther},
    {SYS_clock_nanosleep, "clock_nanosleep", kOther},
    {SYS_wait4, "wait4", kOther},
    {SYS_waitid, "waitid", kOther},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", kOther},
    {SYS_rt_sigsuspend, "rt_sigsuspend", kOther},
    {SYS_semop, "semop", kOther},
    {SYS_semtimedop, "semtimedop", kOther},
    {SYS_msgrcv, "msgrcv", kOther},
    {SYS_msgsnd, "msgsnd", kOther},
    {SYS_mmap, "mmap", kOther},
    {SYS_munmap, "munmap", kOther},
    {SYS_madvise, "madvise", kOther},
    {SYS_msync, "msync", kOther},
    {SYS_clone, "clone", kOther},
    {SYS_execve, "execve", kOther},
    {SYS_getrandom, "getrandom", kOther},
#if defined(SYS_open)  // older calls, which newer processors' kernels leave out
    {SYS_epoll_wait, "epoll_wait", kFd},
    {SYS_open, "open", kOther},
    {SYS_stat, "stat", kOther},
    {SYS_lstat, "lstat", kOther},
    {SYS_rename, "rename", kOther},
    {SYS_unlink, "unlink", kOther},
    {SYS_mkdir, "mkdir", kOther},
    {SYS_poll, "poll", kOther},
    {SYS_select, "select", kOther},
    {SYS_pause, "pause", kOther},
#endif
};

// Longest text taken from a file of procfs or a link.
constexpr size_t kTextMax = 512;

std::string ReadSmallFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char text[kTextMax];
  const ssize_t size = read(fd, text, sizeof(text));
  close(fd);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
}

}  // namespace

BlockedCall ParseBlockedCall(std::string_view line) {
  BlockedCall call;
  const std::string text(line);
  if (text.starts_with("running")) {
    call.state = BlockedCall::State::kComputes;
    return call;
  }
  char* rest = nullptr;
  const long number = strtol(text.c_str(), &rest, 10);
  if (rest == text.c_str()) return call;
  if (number < 0) {  // asleep, but not in a call: a page fault, for one
    call.state = BlockedCall::State::kComputes;
    return call;
  }
  call.state = BlockedCall::State::kInCall;
  call.number = number;
  const auto* known = std::find_if(std::begin(kCalls), std::end(kCalls),
                                   [number](const CallName& row) { return row.number == number; });
  if (known == std::end(kCalls)) {
    call.name = absl::StrCat("syscall ", number);
    return call;
  }
  call.name = known->name;
  if (known->first == kFd) call.fd = static_cast<int>(strtoul(rest, nullptr, 16));
  return call;
}

BlockedCall ReadBlockedCall(pid_t thread) {
  const std::string folder = absl::StrCat("/proc/self/task/", thread);
  BlockedCall call = ParseBlockedCall(ReadSmallFile(folder + "/syscall"));
  if (call.state != BlockedCall::State::kInCall) return call;
  call.wait_channel = ReadSmallFile(folder + "/wchan");
  if (call.wait_channel == "0") call.wait_channel.clear();
  if (call.fd < 0) return call;
  char target[kTextMax];
  const std::string link = absl::StrCat("/proc/self/fd/", call.fd);
  const ssize_t size = readlink(link.c_str(), target, sizeof(target));
  if (size > 0) call.fd_target.assign(target, static_cast<size_t>(size));
  return call;
}

std::string BlockedCall::ToString() const {
  if (state == State::kUnknown) return "unknown";
  if (state == State::kComputes) return "computes";
  std::string text = name + "()";
  if (fd >= 0) {
    text = absl::StrFormat("%s(fd %d%s%s)", name, fd, fd_target.empty() ? "" : " ", fd_target);
  }
  if (!wait_channel.empty()) absl::StrAppend(&text, " in ", wait_channel);
  return text;
}

}  // namespace grove
