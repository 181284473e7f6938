// SignalSet: waits for signals on a fiber.
//
// The signals are blocked and read from a signalfd(2): no code runs in a handler. As the kernel
// does, signals of the same number that come before one is taken count as one.
// Create it before threads are started: they inherit the blocked set, and an unblocked thread would
// take the signal instead. Destroying it restores the mask; what is pending then takes the action
// it had before. Must not outlive its hub, must die on its thread. Hub thread only.
#ifndef GROVE_RUNTIME_IO_SIGNALS_H_
#define GROVE_RUNTIME_IO_SIGNALS_H_

#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "absl/status/statusor.h"
#include "runtime/io/socket.h"

namespace grove {

struct SignalReceived {
  int number = 0;
  // Of the sender, if a process sent it.
  pid_t pid = 0;
  uid_t uid = 0;
};

class SignalSet {
 public:
  // kInvalidArgument: none, an unknown one, or one that can't be blocked (SIGKILL, SIGSTOP).
  static absl::StatusOr<SignalSet> Create(std::span<const int> numbers);
  static absl::StatusOr<SignalSet> Create(std::initializer_list<int> numbers) {
    return Create(std::span(numbers.begin(), numbers.size()));
  }
  SignalSet(SignalSet&& other) noexcept = default;
  SignalSet& operator=(SignalSet&&) = delete;
  ~SignalSet();

  // The next of them; one fiber at a time. kAborted: closed meanwhile. Else kDeadlineExceeded,
  // kCancelled. **Parks.**
  absl::StatusOr<SignalReceived> Await();

 private:
  SignalSet(Socket signals, const sigset_t& added) : signals_(std::move(signals)), added_(added) {}

  Socket signals_;
  sigset_t added_;  // blocked by this object: were not before
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_SIGNALS_H_
