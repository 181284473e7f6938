// libc's calls that wait: in the executable they come before libc's own.

#undef _FORTIFY_SOURCE

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "runtime/green/greened_call.h"

// What libc's headers say of arguments (nonnull) is no part of a function's type.
#pragma GCC diagnostic ignored "-Wignored-attributes"

namespace grove {
namespace {

#define GROVE_CALLER __builtin_return_address(0)

constinit RealFunction<decltype(&::poll)> real_poll("poll");
constinit RealFunction<decltype(&::ppoll)> real_ppoll("ppoll");
constinit RealFunction<decltype(&::select)> real_select("select");
constinit RealFunction<decltype(&::pselect)> real_pselect("pselect");
constinit RealFunction<decltype(&::epoll_wait)> real_epoll_wait("epoll_wait");
constinit RealFunction<decltype(&::clock_nanosleep)> real_clock_nanosleep("clock_nanosleep");
constinit RealFunction<decltype(&::nanosleep)> real_nanosleep("nanosleep");
constinit RealFunction<decltype(&::sleep)> real_sleep("sleep");
constinit RealFunction<decltype(&::usleep)> real_usleep("usleep");
constinit RealFunction<decltype(&::getaddrinfo)> real_getaddrinfo("getaddrinfo");
constinit RealFunction<decltype(&::getnameinfo)> real_getnameinfo("getnameinfo");
constinit RealFunction<decltype(&::fsync)> real_fsync("fsync");
constinit RealFunction<decltype(&::fdatasync)> real_fdatasync("fdatasync");
constinit RealFunction<decltype(&::waitpid)> real_waitpid("waitpid");
constinit RealFunction<decltype(&::pthread_mutex_lock)> real_mutex_lock("pthread_mutex_lock");
constinit RealFunction<decltype(&::pthread_mutex_trylock)> real_mutex_trylock(
    "pthread_mutex_trylock");
constinit RealFunction<decltype(&::pthread_mutex_unlock)> real_mutex_unlock("pthread_mutex_unlock");
constinit RealFunction<decltype(&::pthread_cond_wait)> real_cond_wait("pthread_cond_wait");
constinit RealFunction<decltype(&::pthread_cond_timedwait)> real_cond_timedwait(
    "pthread_cond_timedwait");

int PollGreen(GreenedCall& call, pollfd* fds, nfds_t count, int timeout_ms) {
  const absl::Duration timeout =
      timeout_ms < 0 ? absl::InfiniteDuration() : absl::Milliseconds(timeout_ms);
  return call.Poll(
      {fds, count}, timeout, [&] { return real_poll(fds, count, 0); },
      [&] { return real_poll(fds, count, timeout_ms); });
}

// What select(2) asks, in poll(2)'s words.
using Wanted = absl::InlinedVector<pollfd, 16>;

Wanted WantedOf(int count, const fd_set* readable, const fd_set* writable, const fd_set* urgent) {
  Wanted wanted;
  for (int fd = 0; fd < count; ++fd) {
    short events = 0;
    if (readable != nullptr && FD_ISSET(fd, readable)) events |= POLLIN;
    if (writable != nullptr && FD_ISSET(fd, writable)) events |= POLLOUT;
    if (urgent != nullptr && FD_ISSET(fd, urgent)) events |= POLLPRI;
    if (events != 0) wanted.push_back({.fd = fd, .events = events, .revents = 0});
  }
  return wanted;
}

// What poll(2) found, as select(2) says it; its own result.
int FillSets(const Wanted& found, fd_set* readable, fd_set* writable, fd_set* urgent) {
  for (fd_set* set : {readable, writable, urgent}) {
    if (set != nullptr) FD_ZERO(set);
  }
  int ready = 0;
  const auto put = [&ready](fd_set* set, int fd, bool is_ready) {
    if (set == nullptr || !is_ready) return;
    FD_SET(fd, set);
    ++ready;
  };
  for (const pollfd& each : found) {
    const auto is = [&each](short events, short any) {
      return (each.events & events) != 0 && (each.revents & any) != 0;
    };
    put(readable, each.fd, is(POLLIN, POLLIN | POLLHUP | POLLERR));
    put(writable, each.fd, is(POLLOUT, POLLOUT | POLLERR));
    put(urgent, each.fd, is(POLLPRI, POLLPRI));
  }
  return ready;
}

int SelectGreen(GreenedCall& call, int count, fd_set* readable, fd_set* writable, fd_set* urgent,
                absl::Duration timeout, absl::FunctionRef<int()> blocking) {
  Wanted wanted = WantedOf(count, readable, writable, urgent);
  bool is_refused = false;
  const int ready = call.Poll(
      absl::MakeConstSpan(wanted), timeout,
      [&] { return real_poll(wanted.data(), wanted.size(), 0); },
      [&] {
        is_refused = true;
        return blocking();
      });
  if (is_refused || ready < 0) return ready;
  for (const pollfd& each : wanted) {
    if ((each.revents & POLLNVAL) == 0) continue;
    errno = EBADF;
    return -1;
  }
  return FillSets(wanted, readable, writable, urgent);
}

template <typename Real>
int PauseGreen(GreenedCall& call, absl::Duration duration, timespec* left, Real real) {
  if (!call.MayPark()) {
    int done = 0;
    call.Elsewhere([&] { done = real(); });
    return done;
  }
  absl::Duration rest;
  const int error = call.Pause(duration, rest);
  if (error == 0) return 0;
  if (left != nullptr) *left = absl::ToTimespec(rest);
  return error;
}

// `real` on the offload pool. `interrupted`: what it is then.
template <typename T>
T Elsewhere(GreenedCall& call, T interrupted, absl::FunctionRef<T()> real) {
  T result = interrupted;
  return call.Elsewhere([&] { result = real(); }) ? result : interrupted;
}

}  // namespace
}  // namespace grove

using grove::GreenedCall;

extern "C" {

int poll(pollfd* fds, nfds_t count, int timeout_ms) {
  GreenedCall call("poll", GROVE_CALLER);
  if (!call.is_green()) return grove::real_poll(fds, count, timeout_ms);
  return grove::PollGreen(call, fds, count, timeout_ms);
}
// NOLINTNEXTLINE(bugprone-reserved-identifier): libc's name
int __poll_chk(pollfd* fds, nfds_t count, int timeout_ms, size_t room) {
  if (room / sizeof(pollfd) < count) abort();
  GreenedCall call("poll", GROVE_CALLER);
  if (!call.is_green()) return grove::real_poll(fds, count, timeout_ms);
  return grove::PollGreen(call, fds, count, timeout_ms);
}
int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* signals) {
  GreenedCall call("ppoll", GROVE_CALLER);
  const auto real = [&] { return grove::real_ppoll(fds, count, timeout, signals); };
  if (!call.is_green()) return real();
  int done = -1;
  if (signals != nullptr) {
    call.Escape([&] { done = real(); });  // no park changes the thread's signal mask
    return done;
  }
  return call.Poll(
      {fds, count},
      timeout == nullptr ? absl::InfiniteDuration() : absl::DurationFromTimespec(*timeout),
      [&] { return grove::real_poll(fds, count, 0); }, real);
}
int select(int count, fd_set* readable, fd_set* writable, fd_set* urgent, timeval* timeout) {
  GreenedCall call("select", GROVE_CALLER);
  const auto real = [&] { return grove::real_select(count, readable, writable, urgent, timeout); };
  if (!call.is_green()) return real();
  return grove::SelectGreen(
      call, count, readable, writable, urgent,
      timeout == nullptr ? absl::InfiniteDuration() : absl::DurationFromTimeval(*timeout), real);
}
int pselect(int count, fd_set* readable, fd_set* writable, fd_set* urgent, const timespec* timeout,
            const sigset_t* signals) {
  GreenedCall call("pselect", GROVE_CALLER);
  const auto real = [&] {
    return grove::real_pselect(count, readable, writable, urgent, timeout, signals);
  };
  if (!call.is_green()) return real();
  int done = -1;
  if (signals != nullptr) {
    call.Escape([&] { done = real(); });
    return done;
  }
  return grove::SelectGreen(
      call, count, readable, writable, urgent,
      timeout == nullptr ? absl::InfiniteDuration() : absl::DurationFromTimespec(*timeout), real);
}
int epoll_wait(int epoll, epoll_event* events, int count, int timeout_ms) {
  GreenedCall call("epoll_wait", GROVE_CALLER);
  const auto real = [&](int ms) { return grove::real_epoll_wait(epoll, events, count, ms); };
  if (!call.is_green()) return real(timeout_ms);
  const pollfd wanted{.fd = epoll, .events = POLLIN, .revents = 0};
  return call.Poll(
      {&wanted, 1}, timeout_ms < 0 ? absl::InfiniteDuration() : absl::Milliseconds(timeout_ms),
      [&] { return real(0); }, [&] { return real(timeout_ms); });
}

int nanosleep(const timespec* duration, timespec* left) {
  GreenedCall call("nanosleep", GROVE_CALLER);
  const auto real = [&] { return grove::real_nanosleep(duration, left); };
  if (!call.is_green() || duration->tv_nsec < 0 || duration->tv_nsec >= 1'000'000'000) {
    return real();
  }
  const int error = grove::PauseGreen(call, absl::DurationFromTimespec(*duration), left, real);
  if (error == 0) return 0;
  errno = EINTR;
  return -1;
}
int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  GreenedCall call("clock_nanosleep", GROVE_CALLER);
  const auto real = [&] { return grove::real_clock_nanosleep(clock, flags, time, left); };
  timespec now{};
  if (!call.is_green() || clock_gettime(clock, &now) != 0 || time->tv_nsec < 0 ||
      time->tv_nsec >= 1'000'000'000) {
    return real();
  }
  absl::Duration duration = absl::DurationFromTimespec(*time);
  if ((flags & TIMER_ABSTIME) != 0) duration -= absl::DurationFromTimespec(now);
  const int error = grove::PauseGreen(call, duration, left, real);
  return error == 0 ? 0 : EINTR;
}
unsigned int sleep(unsigned int seconds) {
  GreenedCall call("sleep", GROVE_CALLER);
  if (!call.is_green()) return grove::real_sleep(seconds);
  timespec left{};
  const int error = grove::PauseGreen(call, absl::Seconds(seconds), &left, [&] {
    left.tv_sec = static_cast<time_t>(grove::real_sleep(seconds));
    return 0;
  });
  const bool rounds_up = error != 0 && left.tv_nsec > 0;
  return static_cast<unsigned int>(left.tv_sec) + (rounds_up ? 1 : 0);
}
int usleep(useconds_t micros) {
  GreenedCall call("usleep", GROVE_CALLER);
  const auto real = [&] { return grove::real_usleep(micros); };
  if (!call.is_green()) return real();
  const int error = grove::PauseGreen(call, absl::Microseconds(micros), nullptr, real);
  if (error == 0) return 0;
  errno = EINTR;
  return -1;
}

int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  GreenedCall call("getaddrinfo", GROVE_CALLER);
  const auto real = [&] { return grove::real_getaddrinfo(host, service, hints, found); };
  return call.is_green() ? grove::Elsewhere<int>(call, EAI_SYSTEM, real) : real();
}
int getnameinfo(const sockaddr* address, socklen_t address_length, char* host,
                socklen_t host_length, char* service, socklen_t service_length, int flags) {
  GreenedCall call("getnameinfo", GROVE_CALLER);
  const auto real = [&] {
    return grove::real_getnameinfo(address, address_length, host, host_length, service,
                                   service_length, flags);
  };
  return call.is_green() ? grove::Elsewhere<int>(call, EAI_SYSTEM, real) : real();
}
int fsync(int fd) {
  GreenedCall call("fsync", GROVE_CALLER);
  const auto real = [&] { return grove::real_fsync(fd); };
  return call.is_green() ? grove::Elsewhere<int>(call, -1, real) : real();
}
int fdatasync(int fd) {
  GreenedCall call("fdatasync", GROVE_CALLER);
  const auto real = [&] { return grove::real_fdatasync(fd); };
  return call.is_green() ? grove::Elsewhere<int>(call, -1, real) : real();
}
pid_t waitpid(pid_t child, int* status, int options) {
  GreenedCall call("waitpid", GROVE_CALLER);
  const auto real = [&] { return grove::real_waitpid(child, status, options); };
  if (!call.is_green() || (options & WNOHANG) != 0) return real();
  return grove::Elsewhere<pid_t>(call, -1, real);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  GreenedCall call("pthread_mutex_lock", GROVE_CALLER);
  if (!call.is_green()) return grove::real_mutex_lock(mutex);
  int done = grove::real_mutex_trylock(mutex);
  // Another thread has it, and will let go of it.
  if (done == EBUSY) call.Escape([&] { done = grove::real_mutex_lock(mutex); });
  if (done == 0) call.TookLock();
  return done;
}
int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  GreenedCall call("pthread_mutex_trylock", GROVE_CALLER);
  const int done = grove::real_mutex_trylock(mutex);
  if (done == 0 && call.is_green()) call.TookLock();
  return done;
}
int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  GreenedCall call("pthread_mutex_unlock", GROVE_CALLER);
  if (call.is_green()) call.GaveLock();
  return grove::real_mutex_unlock(mutex);
}
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  GreenedCall call("pthread_cond_wait", GROVE_CALLER);
  int done = 0;
  const auto real = [&] { done = grove::real_cond_wait(condition, mutex); };
  if (call.is_green()) {
    call.Escape(real);
  } else {
    real();
  }
  return done;
}
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  GreenedCall call("pthread_cond_timedwait", GROVE_CALLER);
  int done = 0;
  const auto real = [&] { done = grove::real_cond_timedwait(condition, mutex, until); };
  if (call.is_green()) {
    call.Escape(real);
  } else {
    real();
  }
  return done;
}

}  // extern "C"
