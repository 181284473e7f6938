#include "runtime/green/greened_call.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

#include "runtime/hub/clock.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

// Of an interrupted park, as a library may understand it. Not EINTR: it would only try again.
int ErrnoOf(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return ETIMEDOUT;
  if (absl::IsCancelled(status)) return ECANCELED;
  if (absl::IsResourceExhausted(status)) return EAGAIN;
  return EIO;
}

bool IsNonBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

// SO_RCVTIMEO, SO_SNDTIMEO (socket(7)): how long a blocking call on it waits.
absl::Duration TimeoutOf(int fd, short events) {
  timeval time{};
  socklen_t length = sizeof(time);
  const int option = (events & POLLOUT) != 0 ? SO_SNDTIMEO : SO_RCVTIMEO;
  if (getsockopt(fd, SOL_SOCKET, option, &time, &length) != 0) return absl::InfiniteDuration();
  const absl::Duration set = absl::DurationFromTimeval(time);
  return set > absl::ZeroDuration() ? set : absl::InfiniteDuration();
}

absl::Duration Since(MonotonicNanos began) {
  return absl::Nanoseconds(Clock::Monotonic().Now() - began);
}

}  // namespace

GreenedCall::GreenedCall(std::string_view function, const void* site)
    : scope_(GreenScope::OfRunning()), function_(function), site_(site) {
  if (scope_ != nullptr) scope_->at_work_ = true;
}

GreenedCall::~GreenedCall() {
  if (scope_ != nullptr) scope_->at_work_ = false;
}

void GreenedCall::Count(GreenOutcome outcome, absl::Duration blocked) {
  CountGreenCall(function_, site_, outcome, blocked);
}

template <typename T>
T GreenedCall::Refuse(absl::FunctionRef<T()> blocking) {
  const MonotonicNanos began = Clock::Monotonic().Now();
  const T result = blocking();
  const int error = errno;
  Count(GreenOutcome::kRefused, Since(began));
  errno = error;
  return result;
}

ssize_t GreenedCall::Transfer(int fd, short events, absl::FunctionRef<ssize_t()> once,
                              absl::FunctionRef<ssize_t()> blocking) {
  GreenOutcome outcome = GreenOutcome::kReady;
  for (;;) {
    const ssize_t done = once();
    const int error = errno;
    if (done >= 0 || (error != EAGAIN && error != EWOULDBLOCK) || IsNonBlocking(fd)) {
      Count(outcome);
      errno = error;
      return done;
    }
    if (!MayPark()) return Refuse(blocking);
    outcome = GreenOutcome::kParked;
    bool timed_out = false;
    const pollfd wanted{.fd = fd, .events = events, .revents = 0};
    const absl::Status waited = scope_->Await({&wanted, 1}, TimeoutOf(fd, events), timed_out);
    if (waited.ok()) continue;
    Count(outcome);
    errno = timed_out ? EAGAIN : ErrnoOf(waited);
    return -1;
  }
}

int GreenedCall::AwaitReady(int fd, short events) {
  bool timed_out = false;
  const pollfd wanted{.fd = fd, .events = events, .revents = 0};
  const absl::Status waited = scope_->Await({&wanted, 1}, TimeoutOf(fd, events), timed_out);
  Count(GreenOutcome::kParked);
  return waited.ok() ? 0 : ErrnoOf(waited);
}

int GreenedCall::Poll(absl::Span<const pollfd> fds, absl::Duration timeout,
                      absl::FunctionRef<int()> look, absl::FunctionRef<int()> blocking) {
  const MonotonicNanos deadline = DeadlineAfter(Hub::CurrentOrDie().ReadClock(), timeout);
  GreenOutcome outcome = GreenOutcome::kReady;
  for (;;) {
    const int ready = look();
    const int error = errno;
    const MonotonicNanos now = Hub::CurrentOrDie().ReadClock();
    if (ready != 0 || now >= deadline) {
      Count(outcome);
      errno = error;
      return ready;
    }
    if (!MayPark()) return Refuse(blocking);
    outcome = GreenOutcome::kParked;
    bool timed_out = false;
    const absl::Duration left =
        deadline == kNever ? absl::InfiniteDuration() : absl::Nanoseconds(deadline - now);
    const absl::Status waited = scope_->Await(fds, left, timed_out);
    if (waited.ok() || timed_out) continue;
    Count(outcome);
    errno = ErrnoOf(waited);
    return -1;
  }
}

int GreenedCall::Pause(absl::Duration duration, absl::Duration& left) {
  Hub& hub = Hub::CurrentOrDie();
  const MonotonicNanos began = hub.ReadClock();
  const absl::Status slept = Sleep(duration);
  Count(GreenOutcome::kParked);
  left = std::max(duration - absl::Nanoseconds(hub.ReadClock() - began), absl::ZeroDuration());
  return slept.ok() ? 0 : ErrnoOf(slept);
}

bool GreenedCall::Elsewhere(absl::FunctionRef<void()> call) {
  if (!MayPark()) {
    const auto blocking = [&call] {
      call();
      return 0;
    };
    Refuse<int>(blocking);
    return true;
  }
  if (scope_->options_.offload == nullptr) {
    Escape(call);
    return true;
  }
  int error = 0;
  const absl::Status ran = scope_->options_.offload->Run([&] {
    call();
    error = errno;
  });
  Count(GreenOutcome::kOffloaded);
  errno = ran.ok() ? error : ErrnoOf(ran);
  return ran.ok();
}

void GreenedCall::Escape(absl::FunctionRef<void()> call) {
  const MonotonicNanos began = Clock::Monotonic().Now();
  call();
  const int error = errno;
  Count(GreenOutcome::kEscaped, Since(began));
  errno = error;
}

}  // namespace grove
