// GreenedCall: one call of libc by a library, and what becomes of it inside a GreenScope.
//
// Private to //runtime/green: libc_calls.cc and libc_waits.cc are made of these.
#ifndef GROVE_RUNTIME_GREEN_GREENED_CALL_H_
#define GROVE_RUNTIME_GREEN_GREENED_CALL_H_

#include <dlfcn.h>
#include <poll.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "runtime/green/green_report.h"
#include "runtime/green/green_scope.h"

namespace grove {

// libc's own function of that name. Needs no lock of ours, and may be called before main().
template <typename Function>
class RealFunction {
 public:
  constexpr explicit RealFunction(const char* name) : name_(name) {}

  template <typename... Arguments>
  auto operator()(Arguments... arguments) {
    Function function = found_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name_));
      found_.store(function, std::memory_order_relaxed);
    }
    return function(arguments...);
  }

 private:
  const char* const name_;
  std::atomic<Function> found_{nullptr};
};

class GreenedCall {
 public:
  // `function`: a literal. `site`: __builtin_return_address(0).
  GreenedCall(std::string_view function, const void* site);
  ~GreenedCall();
  GreenedCall(const GreenedCall&) = delete;
  GreenedCall& operator=(const GreenedCall&) = delete;

  // False: it is libc's, and nothing is counted.
  bool is_green() const { return scope_ != nullptr; }

  // A read or write of `fd`: `once` must not wait and says EAGAIN if it would, `blocking` waits.
  // For a descriptor that the library made non-blocking, EAGAIN is the answer.
  ssize_t Transfer(int fd, short events, absl::FunctionRef<ssize_t()> once,
                   absl::FunctionRef<ssize_t()> blocking);
  // Until one of them is ready: what poll(2) says. Its own real call is `look`, which does not
  // wait.
  int Poll(absl::Span<const pollfd> fds, absl::Duration timeout, absl::FunctionRef<int()> look,
           absl::FunctionRef<int()> blocking);
  // Until `fd` is ready; 0, or the errno.
  int AwaitReady(int fd, short events);
  // Sleeps; 0, or the errno. What is left then goes to `left`.
  int Pause(absl::Duration duration, absl::Duration& left);
  // On the offload pool, if there is one; else here. False: interrupted before it ran; errno says
  // how.
  bool Elsewhere(absl::FunctionRef<void()> call);
  // On the hub's thread, which it may block.
  void Escape(absl::FunctionRef<void()> call);
  // It did not wait.
  void CountReady() { Count(GreenOutcome::kReady); }

  bool MayPark() const { return scope_->locks_held_ == 0; }
  void TookLock() { ++scope_->locks_held_; }
  void GaveLock() {
    if (scope_->locks_held_ > 0) --scope_->locks_held_;
  }

 private:
  void Count(GreenOutcome outcome, absl::Duration blocked = absl::ZeroDuration());
  // Runs what blocks, since the fiber must not park.
  template <typename T>
  T Refuse(absl::FunctionRef<T()> blocking);

  GreenScope* const scope_;
  const std::string_view function_;
  const void* const site_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_GREEN_GREENED_CALL_H_
