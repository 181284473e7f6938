// ProcessPool: calls functions of child processes, for native code that may crash, leak or hang.
//
// A child is a program that serves ProcessFunctions, started by fork and exec: a fork alone would
// copy a process with threads, whose locks the child finds taken by nobody. Requests and replies
// are bytes over a socket of the two. A child runs one call at a time; one that crashes fails that
// call alone, and is replaced: at the next call, and after a growing pause if it goes on crashing.
// Calls that are queued don't notice, and no hub is touched.
// Children end with the pool: no process, zombie or descriptor is left. Hub thread only.
#ifndef GROVE_RUNTIME_PROCESS_POOL_PROCESS_POOL_H_
#define GROVE_RUNTIME_PROCESS_POOL_PROCESS_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"
#include "runtime/repeat/backoff.h"

namespace grove {

struct ProcessPoolOptions {
  // What becomes of a call that runs while its fiber is cancelled or timed out.
  enum class OnInterrupt {
    kKill,     // its process is killed, and replaced
    kAbandon,  // it runs on, and its reply is dropped; the process is taken until then
  };

  // In texts and lists of fibers.
  std::string name = "processes";
  // The program and its arguments; looked up in PATH unless it has a slash.
  std::vector<std::string> command;
  // "NAME=value"; unset: this process's.
  std::optional<std::vector<std::string>> environment = std::nullopt;
  int processes = 2;
  // Calls that wait for a process; beyond: kResourceExhausted.
  size_t queue_max = 1000;
  // Longer ones are ended by SIGKILL to their process group.
  absl::Duration call_time_max = absl::Minutes(1);
  OnInterrupt on_interrupt = OnInterrupt::kKill;
  // A process is replaced after so many calls, whatever it has leaked; 0: never for that.
  uint64_t calls_max = 10'000;
  // And after a call that has left it with more resident memory; 0: never for that.
  size_t rss_bytes_max = size_t{1} << 30;
  // Of a request, and of a reply.
  size_t message_bytes_max = size_t{64} << 20;
  // Pauses before the second and further processes in a row that end without a reply.
  BackoffOptions restart = {.first = absl::Milliseconds(100), .max = absl::Seconds(30)};
  // What a process that is to end of its own accord is given before SIGKILL.
  absl::Duration end_grace = absl::Seconds(5);
};

// Levels now, and counts since the start.
struct ProcessPoolStats {
  int processes = 0;  // that live
  int busy = 0;       // with a call
  size_t queued = 0;
  uint64_t completed = 0;  // with a reply or an error of the function's
  uint64_t crashed = 0;    // the process ended during the call
  uint64_t timed_out = 0;  // call_time_max
  uint64_t killed = 0;     // interrupted while they ran
  uint64_t abandoned = 0;  // the same, and they ran on
  uint64_t dropped = 0;    // interrupted, or the pool ended, while they were queued
  uint64_t rejected = 0;   // the queue was full
  uint64_t started = 0;    // processes
  uint64_t start_failures = 0;
  uint64_t recycled = 0;     // calls_max, rss_bytes_max
  double queue_seconds = 0;  // of calls that ran, all together
  double run_seconds = 0;
};

class ProcessPool {
 public:
  // Starts no process: calls do. kInvalidArgument names the option.
  static absl::StatusOr<std::unique_ptr<ProcessPool>> Create(ProcessPoolOptions options);
  // Kills what runs, unless Stop() came before; calls under way return kUnavailable.
  ~ProcessPool();
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;

  // The function's reply, or its error. kInternal: its process crashed, the text names the signal
  // or the exit code. kUnavailable: no process could be started, or the pool stops.
  // kDeadlineExceeded: it ran for longer than call_time_max, or the caller's own; kCancelled.
  // kResourceExhausted: the queue is full, or the reply too long. kInvalidArgument: the request is
  // too long. **Parks.**
  absl::StatusOr<std::string> Call(std::string_view function, std::string request);

  // Takes no more calls, and waits until those there are have ended and the processes too.
  // Interrupted, it kills them first: then calls under way return kUnavailable. Afterwards the pool
  // may outlive the hub. **Parks.**
  absl::Status Stop();

  ProcessPoolStats stats() const;

 private:
  struct PendingCall;
  struct State;
  class Slot;

  explicit ProcessPool(std::shared_ptr<State> state);
  void Abort();

  const std::shared_ptr<State> state_;  // the slots' fibers may outlive the pool by a turn
  std::vector<FiberHandle> fibers_;     // one for each process
};

}  // namespace grove

#endif  // GROVE_RUNTIME_PROCESS_POOL_PROCESS_POOL_H_
