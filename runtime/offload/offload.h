// Offload: runs blocking calls on a bounded pool of threads while their fibers park.
//
// Threads start with the first call and end with Stop(). A call that is still queued when its fiber
// is cancelled or timed out is dropped; one that runs is waited for, since it may use the caller's
// memory. A forked child has none of the threads: there Run() fails a CHECK instead of waiting for
// ever, and the pool may die, but not serve. The child makes one of its own.
#ifndef GROVE_RUNTIME_OFFLOAD_OFFLOAD_H_
#define GROVE_RUNTIME_OFFLOAD_OFFLOAD_H_

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/thread_mutex.h"
#include "runtime/sync/event.h"

namespace grove {

class Hub;

class OffloadPool {
 public:
  struct Options {
    int threads = 8;
    // Calls that wait for a thread; kResourceExhausted beyond.
    size_t queue_max = 10'000;
    // A call that no thread has begun by then never runs: kResourceExhausted.
    absl::Duration queue_time_max = absl::InfiniteDuration();
    // Of its threads, as top(1) and gdb show it; the first 15 characters.
    std::string name = "offload";
  };
  explicit OffloadPool(Options options) : options_(std::move(options)) {}
  // Stops.
  ~OffloadPool();

  // Runs `call` on a pool thread. OK once it has returned; kCancelled / kDeadlineExceeded: it was
  // still queued and never runs; kResourceExhausted: the queue is full, or no thread was free for
  // `queue_time_max`. An exception it throws is thrown here. **Parks.**
  absl::Status Run(absl::FunctionRef<void()> call);
  // Waits for running calls, drops queued ones (their callers see kCancelled). Not from a fiber. In
  // a forked child: forgets the parent's threads.
  void Stop();

  // Levels now, and counts since it was made. Any thread.
  struct Stats {
    size_t queued = 0;
    int running = 0;
    int threads = 0;
    uint64_t completed = 0;
    uint64_t dropped = 0;      // while queued: cancelled, timed out, or the pool stopped
    uint64_t rejected = 0;     // the queue was full
    uint64_t expired = 0;      // waited for longer than queue_time_max
    size_t queued_most = 0;    // at once, ever
    double queue_seconds = 0;  // of those that ran, all together
    double run_seconds = 0;    // of those that have returned
  };
  Stats stats() const;
  size_t queued() const { return stats().queued; }
  int running() const { return stats().running; }

 private:
  struct Call;
  void ThreadLoop();
  void Finish(Call& call);
  // Whether a forked child calls. Takes no lock: a thread that the child lacks may hold it.
  bool ThreadsAreTheParents() const;

  const Options options_;
  std::atomic<pid_t> process_{0};  // whose the threads are; 0: nobody's yet
  mutable ThreadMutex mutex_;
  // Guarded by mutex_.
  std::unique_ptr<std::condition_variable> work_ = std::make_unique<std::condition_variable>();
  std::deque<Call*> calls_;
  bool stopping_ = false;
  int idle_ = 0;
  Stats stats_;  // but for queued and threads
  std::vector<std::thread> threads_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_OFFLOAD_OFFLOAD_H_
