// LoopingCall: a body that runs again and again on a fiber of its own.
//
// Three paces: at the beats of a fixed interval, after an idle time that the body returns, and
// with growing pauses until it succeeds. One run at a time. The body ends the loop by saying so;
// failing (a non-OK status or a std::exception) ends it too, or is reported, by option.
// Time is the hub's monotonic clock. Hub thread only.
#ifndef GROVE_RUNTIME_REPEAT_LOOPING_CALL_H_
#define GROVE_RUNTIME_REPEAT_LOOPING_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"
#include "runtime/repeat/backoff.h"

namespace grove {

enum class LoopStep : uint8_t {
  kContinue,  // to a back-off: not yet, wait longer
  kReset,     // to a back-off: progress, start again with short pauses; else as kContinue
  kDone,
};

struct LoopOptions {
  // Must outlive the loop: a literal, or a string that the body owns.
  std::string_view name = "looping call";
  enum class Failure : uint8_t { kEnds, kIsReported };
  Failure failure = Failure::kEnds;
  // With kIsReported; null: a line on stderr. Neither report may throw. Both may park.
  std::function<void(const absl::Status&)> report_failure;
  // Of a fixed interval: a run outlasted it by `by` and cost `skipped` beats; null: a line on
  // stderr.
  std::function<void(absl::Duration by, int64_t skipped)> report_overrun;
  // From the first run on (of a back-off: from the last kReset): a run that would start later is
  // not waited for, the loop ends with kDeadlineExceeded.
  absl::Duration total_timeout = absl::InfiniteDuration();
};

struct LoopCounts {
  uint64_t runs = 0;
  uint64_t failures = 0;
  uint64_t overruns = 0;
  uint64_t skipped = 0;
};

class LoopingCall {
 public:
  using Body = absl::AnyInvocable<absl::StatusOr<LoopStep>()>;
  // How long to idle; nothing: done.
  using IdleBody = absl::AnyInvocable<absl::StatusOr<std::optional<absl::Duration>>()>;

  // Runs `body` at its beats. A run that misses beats is followed by the next one to come.
  static LoopingCall FixedInterval(absl::Duration interval, Body body, LoopOptions options = {});
  // Idles as long as `body` says, at most `idle_max`; that long after a reported failure.
  static LoopingCall DynamicInterval(absl::Duration idle_max, IdleBody body,
                                     LoopOptions options = {});
  // Pauses longer and longer until `body` says kDone. Bound it with total_timeout.
  static LoopingCall Backoff(BackoffOptions pauses, Random random, Body body,
                             LoopOptions options = {});

  LoopingCall(const LoopingCall&) = delete;
  LoopingCall& operator=(const LoopingCall&) = delete;
  // Cancels the loop's fiber if it runs. A run under way ends at its own pace: what the body refers
  // to must outlive it, so Stop() and Wait() where that matters.
  ~LoopingCall();

  // kFailedPrecondition: it runs already. kInvalidArgument: an interval, pause or option that can't
  // be. kResourceExhausted: no fiber. May be called again after the end.
  absl::Status Start(absl::Duration initial_delay = absl::ZeroDuration(),
                     SourceLocation site = SourceLocation::Current());
  // No run starts after this; one under way ends first. No effect if it doesn't run.
  void Stop();
  // Cancels its fiber: also a run under way sees kCancelled, and Wait() returns that. No effect on
  // a run that calls it, which Stop() is for, or if it doesn't run.
  void Cancel();
  // Until it has ended. OK: kDone or Stop(). kDeadlineExceeded: total_timeout, or, while running()
  // is still true, a Timeout of the caller's. Else the failure that ended it, kUnknown for an
  // exception. kFailedPrecondition: never started, or called by the body. **Parks.**
  absl::Status Wait();

  bool running() const { return fiber_ && !fiber_.ended(); }
  // Called by its own body.
  bool RunsCaller() const;
  // What it runs on; empty before the first Start().
  const FiberHandle& fiber() const { return fiber_; }
  const LoopCounts& counts() const;

 private:
  struct State;
  explicit LoopingCall(std::shared_ptr<State> state);

  // Shared with the fiber, which outlives a loop that is dropped.
  const std::shared_ptr<State> state_;
  FiberHandle fiber_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_REPEAT_LOOPING_CALL_H_
