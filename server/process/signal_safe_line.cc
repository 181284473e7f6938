#include "server/process/signal_safe_line.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace grove::process {
namespace {

bool AwaitReader(MonotonicNanos deadline) {
  if (deadline == kNever) return true;
  for (;;) {
    const MonotonicNanos left = deadline - SignalSafeNow();
    pollfd polled{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    const int ready = poll(&polled, 1, static_cast<int>(std::max<int64_t>(left, 0) / 1'000'000));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

}  // namespace

SignalSafeLine& SignalSafeLine::Add(std::string_view text) {
  const size_t room = sizeof(text_) - 1 - size_;
  const size_t taken = std::min(text.size(), room);
  memcpy(text_ + size_, text.data(), taken);
  size_ += taken;
  return *this;
}

SignalSafeLine& SignalSafeLine::Add(uint64_t number) {
  char digits[20];
  size_t at = sizeof(digits);
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
  } while ((number /= 10) > 0);
  return Add(std::string_view(digits + at, sizeof(digits) - at));
}

bool SignalSafeLine::Write(MonotonicNanos deadline) {
  text_[size_++] = '\n';
  // A pipe that is ready takes so much at once (pipe(7), PIPE_BUF).
  return AwaitReader(deadline) && write(STDERR_FILENO, text_, size_) >= 0;
}

MonotonicNanos SignalSafeNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace grove::process
