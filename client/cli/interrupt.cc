#include "client/cli/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr char kInterruptedPayload[] = "grove.cli/interrupted";

// What the handler fills; made once, since a signal may come late.
int SignalFd() {
  static const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd;
}

int handler_fd = -1;

void OnSignal(int) {
  const int kept = errno;
  const uint64_t one = 1;
  // A full counter is readable, too.
  [[maybe_unused]] const ssize_t written = write(handler_fd, &one, sizeof(one));
  errno = kept;
}

}  // namespace

Interrupt::Interrupt() {
  handler_fd = SignalFd();
  Take();
  sigaction(SIGINT, nullptr, &before_);
  if (before_.sa_handler == SIG_IGN) return;
  struct sigaction mine = {};
  mine.sa_handler = OnSignal;
  mine.sa_flags = SA_RESTART;
  sigaction(SIGINT, &mine, nullptr);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &before_, nullptr);
}

int Interrupt::fd() const {
  return SignalFd();
}

bool Interrupt::Take() {
  uint64_t count = 0;
  return read(SignalFd(), &count, sizeof(count)) == sizeof(count);
}

StopOnInterrupt::StopOnInterrupt() : done_fd_(eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] {
    pollfd fds[2] = {{interrupt_.fd(), POLLIN, 0}, {done_fd_, POLLIN, 0}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    if (fds[0].revents != 0) stop_.Set();
  });
}

StopOnInterrupt::~StopOnInterrupt() {
  const uint64_t one = 1;
  // An eventfd that nobody filled always takes a 1.
  if (write(done_fd_, &one, sizeof(one)) < 0) std::abort();
  thread_.join();
  close(done_fd_);
}

absl::Status InterruptedError(std::string_view message) {
  absl::Status status = absl::CancelledError(Abseil(message));
  status.SetPayload(kInterruptedPayload, absl::Cord());
  return status;
}

bool IsInterrupted(const absl::Status& status) {
  return status.GetPayload(kInterruptedPayload).has_value();
}

}  // namespace grove::client::cli
