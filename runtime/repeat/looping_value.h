// LoopingValue: a looping call that ends with a value.
//
// The body returns nothing to go on, or the value that ends the loop and that Wait() gives to all
// who wait. At the beats of a fixed interval, or with the pauses of a back-off; everything else is
// LoopingCall's. Hub thread only.
#ifndef GROVE_RUNTIME_REPEAT_LOOPING_VALUE_H_
#define GROVE_RUNTIME_REPEAT_LOOPING_VALUE_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/repeat/looping_call.h"

namespace grove {

template <typename T>
class LoopingValue {
 public:
  using Body = absl::AnyInvocable<absl::StatusOr<std::optional<T>>()>;

  static LoopingValue FixedInterval(absl::Duration interval, Body body, LoopOptions options = {}) {
    return LoopingValue(std::move(body), [&](LoopingCall::Body step) {
      return LoopingCall::FixedInterval(interval, std::move(step), std::move(options));
    });
  }
  static LoopingValue Backoff(BackoffOptions pauses, Random random, Body body,
                              LoopOptions options = {}) {
    return LoopingValue(std::move(body), [&](LoopingCall::Body step) {
      return LoopingCall::Backoff(pauses, std::move(random), std::move(step), std::move(options));
    });
  }

  // As LoopingCall::Start; the value of an earlier round is gone.
  absl::Status Start(absl::Duration initial_delay = absl::ZeroDuration(),
                     SourceLocation site = SourceLocation::Current()) {
    absl::Status started = loop_.Start(initial_delay, site);
    if (started.ok()) value_->reset();
    return started;
  }
  void Stop() { loop_.Stop(); }
  // A copy of the value; kCancelled: it was stopped before there was one. Else as
  // LoopingCall::Wait. **Parks.**
  absl::StatusOr<T> Wait() {
    if (absl::Status ended = loop_.Wait(); !ended.ok()) return ended;
    if (value_->has_value()) return **value_;
    return absl::CancelledError("the looping call was stopped before it had a value");
  }
  bool running() const { return loop_.running(); }
  const LoopCounts& counts() const { return loop_.counts(); }

 private:
  template <typename MakeLoop>
  LoopingValue(Body body, MakeLoop make_loop)
      : loop_(make_loop(
            [value = value_, body = std::move(body)]() mutable -> absl::StatusOr<LoopStep> {
              absl::StatusOr<std::optional<T>> made = body();
              if (!made.ok()) return made.status();
              *value = *std::move(made);
              return value->has_value() ? LoopStep::kDone : LoopStep::kContinue;
            })) {}

  const std::shared_ptr<std::optional<T>> value_ = std::make_shared<std::optional<T>>();
  LoopingCall loop_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_REPEAT_LOOPING_VALUE_H_
