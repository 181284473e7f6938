// Watchdog: a thread that says which fiber holds a hub, and in what.
//
// It samples the hub's pulse four times per threshold. When the same code has held the hub for the
// threshold, it reports the fiber, its stack (taken by a signal handler on the hub's thread) and
// the system call the thread sits in; afterwards how long it took in all. While the hub waits in
// its poll for longer, the thread sleeps too, until the hub wakes it.
//
// The signal is SIGURG: ignored by default, so a stray one does nothing, and sent by the kernel
// only to who asked for it. Calls that the kernel does not restart after a handler (nanosleep, poll
// and the like: signal(7)) return EINTR once in the stalled code. A thread that cannot take the
// signal (blocked, uninterruptible sleep) is reported without a stack.
//
// Start() and Stop() are for the thread of the hub; Start() after any fork, since threads do not
// survive one.
#ifndef GROVE_RUNTIME_WATCH_WATCHDOG_H_
#define GROVE_RUNTIME_WATCH_WATCHDOG_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/watch/blocked_call.h"
#include "runtime/watch/stack_trace.h"
#include "runtime/watch/stall_detector.h"

namespace grove {

struct StallReport {
  absl::Duration held;  // so far
  // Whether the hub's thread answered while it still stalled. If not, all down to `stack` is empty.
  bool identified = false;
  FiberId fiber = 0;       // 0: outside any fiber: a posted call, a timer or the turn hook
  std::string fiber_name;  // cut at StallProbe's lengths, as are the next three
  std::string spawn_site;  // "server/http/serving/connection.cc:41"
  std::string tenant;
  std::string task;
  // Empty if the signal hit a switch between two stacks.
  StackTrace stack;
  BlockedCall call;
};

struct StallEnd {
  FiberId fiber = 0;  // as reported
  std::string fiber_name;
  absl::Duration held;
};

struct WatchdogOptions {
  // Twice the 50 ms that a client begins to notice; a hub that computes this long also starves
  // its timers. At least 4 ms: it is sampled four times within.
  absl::Duration threshold = absl::Milliseconds(100);
  // Shortest time between two reports; the stalls between are counted.
  absl::Duration report_interval = absl::Seconds(1);
  // On the watchdog's thread, while the hub stalls. Must not wait for the hub.
  std::function<void(const StallReport&)> on_stall;
  // On the watchdog's thread, for each stall that was reported and has ended.
  std::function<void(const StallEnd&)> on_end;
};

struct StallProbe;

class Watchdog {
 public:
  // `hub` must outlive it, and be watched by no other.
  Watchdog(Hub& hub, WatchdogOptions options);
  // Requires: stopped, or never started.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // --- The thread that runs the hub ---

  // Installs the handler and starts the thread. kInvalidArgument for a threshold below 4 ms; else
  // what the kernel says.
  absl::Status Start();
  // Ends the thread and waits for it, a callback that runs included. May be called twice.
  void Stop();

  // --- Any thread ---

  StallStats stats() const;

 private:
  void ThreadLoop();
  void Report();
  void ReportEnd();
  void PublishStats();
  // False if the hub's thread did not answer in time.
  bool AskHubThread();
  // Until `timeout` has passed, the hub wakes it or Stop() is called.
  void Pause(absl::Duration timeout);
  StallDetector::Sample TakeSample() const;

  HubPulse& pulse_;
  const WatchdogOptions options_;
  const absl::Duration period_;

  // Set by Start().
  pid_t hub_tid_ = 0;
  pthread_t hub_thread_{};
  void* signal_stack_ = nullptr;  // null if the thread had one already
  int wake_fd_ = -1;
  std::unique_ptr<StallProbe> probe_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  // Watchdog thread only.
  StallDetector detector_;
  StallEnd present_;

  // Copies of detector_'s, for any thread.
  std::atomic<uint64_t> stalls_{0};
  std::atomic<uint64_t> unreported_{0};
  std::atomic<MonotonicNanos> held_{0};
  std::atomic<MonotonicNanos> longest_{0};
};

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_WATCHDOG_H_
