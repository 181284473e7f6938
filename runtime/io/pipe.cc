#include "runtime/io/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "runtime/switch/errno_status.h"

namespace grove {

absl::StatusOr<Pipe> Pipe::Create() {
  IgnoreBrokenPipes();
  int fds[2];
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  absl::StatusOr<Socket> reader = Socket::Adopt(fds[0]);
  if (!reader.ok()) {
    close(fds[1]);
    return reader.status();
  }
  absl::StatusOr<Socket> writer = Socket::Adopt(fds[1]);
  if (!writer.ok()) return writer.status();
  return Pipe{*std::move(reader), *std::move(writer)};
}

void IgnoreBrokenPipes() {
  // Once is enough, and spares those who send files a system call each.
  [[maybe_unused]] static const bool done = [] {
    struct sigaction action;
    if (sigaction(SIGPIPE, nullptr, &action) != 0) return false;
    const bool is_default = (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
    if (is_default) signal(SIGPIPE, SIG_IGN);
    return true;
  }();
}

}  // namespace grove
