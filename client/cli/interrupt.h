// Interrupt: Ctrl-C as something that a verb waits for, instead of the end of the process.
//
// Where SIGINT was ignored from the start, as for a job in the background, it stays so.

#ifndef GROVE_CLIENT_CLI_INTERRUPT_H_
#define GROVE_CLIENT_CLI_INTERRUPT_H_

#include <csignal>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "client/stop.h"

namespace grove::client::cli {

// While it lives, SIGINT makes a descriptor readable. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // Readable from the signal on, until Take.
  int fd() const;
  // Whether there was a signal since the last call.
  bool Take();

 private:
  struct sigaction before_ = {};
};

// Sets a Stop at the first signal, on a thread of its own.
class StopOnInterrupt {
 public:
  StopOnInterrupt();
  ~StopOnInterrupt();
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;

  Stop& stop() { return stop_; }
  // For polls: readable from the signal on.
  int fd() const { return interrupt_.fd(); }

 private:
  Interrupt interrupt_;
  Stop stop_;
  const int done_fd_;
  std::thread thread_;
};

// That the verb ended by Ctrl-C; `message` says how to go on.
absl::Status InterruptedError(std::string_view message);
bool IsInterrupted(const absl::Status& status);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_INTERRUPT_H_
