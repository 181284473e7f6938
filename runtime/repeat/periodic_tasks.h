// PeriodicTasks: named tasks, each with its own spacing, run one after another.
//
// A task is due at the multiples of its spacing from the start on, plus up to 5 % of the spacing so
// that many processes don't act at once; late runs and the jitter don't move the grid. What passes
// during a run is skipped: an overrun leads to no extra runs. A failure or an exception is counted
// and reported, and ends that run alone.
// RunDue() is for a caller with a loop of its own; Start() runs one on a fiber. All tasks share it,
// so one that takes long delays the others: give it a LoopingCall, or PeriodicTasks, of its own.
// Time is the hub's monotonic clock. Hub thread only.
#ifndef GROVE_RUNTIME_REPEAT_PERIODIC_TASKS_H_
#define GROVE_RUNTIME_REPEAT_PERIODIC_TASKS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "runtime/repeat/looping_call.h"

namespace grove {

struct PeriodicTaskOptions {
  std::string name;
  // Zero: kDefaultSpacing. Negative: the task is disabled.
  absl::Duration spacing = absl::ZeroDuration();
  enum class Mode : uint8_t { kEnabled, kDisabled };
  Mode mode = Mode::kEnabled;
  // When the first run is due.
  enum class First : uint8_t { kAfterOneSpacing, kImmediately };
  First first = First::kAfterOneSpacing;
};

class PeriodicTasks {
 public:
  using Body = absl::AnyInvocable<absl::Status()>;
  using Report = std::function<void(std::string_view task, const absl::Status& failure)>;
  // Those of oslo.service.
  static constexpr absl::Duration kDefaultSpacing = absl::Seconds(60);
  static constexpr absl::Duration kIdleMax = absl::Seconds(60);
  // Of the spacing.
  static constexpr double kJitterMax = 0.05;

  struct Task {
    std::string name;
    uint64_t runs = 0;
    uint64_t failures = 0;
    MonotonicNanos due = kNever;  // kNever while disabled
  };

  // `random` gives the jitter. `report` hears of failures; null: a line on stderr. It must not
  // throw, and may park.
  explicit PeriodicTasks(Random random, Report report = nullptr);
  // Cancels the loop's fiber if it runs. What a task refers to must outlive its run under way, so
  // Stop() and Wait() where that matters.
  ~PeriodicTasks();
  PeriodicTasks(const PeriodicTasks&) = delete;
  PeriodicTasks& operator=(const PeriodicTasks&) = delete;

  // Its grid starts now; also while the loop runs. kAlreadyExists: the name; kInvalidArgument: no
  // name or no body.
  absl::Status Add(PeriodicTaskOptions options, Body body);

  // Runs what is due, in the order of adding, and returns how long nothing is due then: at most
  // kIdleMax. What another call of it runs at the time is left out. A cancellation or time-out of
  // the caller's cancels the task under way and leaves the rest for next time. **Parks.**
  absl::Duration RunDue();
  // As RunDue(), but stops at the first failure and returns it. **Parks.**
  absl::Status RunDueOrFail();

  // RunDue() again and again, on a fiber. As LoopingCall's.
  absl::Status Start() { return loop_.Start(); }
  void Stop() { loop_.Stop(); }
  absl::Status Wait() { return loop_.Wait(); }
  bool running() const { return loop_.running(); }

  std::vector<Task> tasks() const;

 private:
  struct Entry;
  struct State;

  const std::shared_ptr<State> state_;  // shared with the loop's fiber, which may outlive this
  LoopingCall loop_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_REPEAT_PERIODIC_TASKS_H_
