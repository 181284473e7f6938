#include "runtime/repeat/looping_call.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/exception_text.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/repeat/grid.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

// What a run asks for, or what stands for it after a reported failure.
struct Outcome {
  LoopStep step = LoopStep::kContinue;
  std::optional<absl::Duration> idle;  // of a dynamic interval
};

}  // namespace

struct LoopingCall::State {
  LoopOptions options;
  absl::Status valid;
  absl::AnyInvocable<absl::StatusOr<Outcome>()> body;
  // Called before the first run, with its time.
  absl::AnyInvocable<void(MonotonicNanos first)> begin;
  // When to run next, after a run that ended at `ended`.
  absl::AnyInvocable<MonotonicNanos(const Outcome& step, MonotonicNanos ended)> next;
  bool resets_timeout = false;
  Event stop;
  LoopCounts counts;

  absl::Status Loop(absl::Duration initial_delay);
  absl::Status LoopFrom(MonotonicNanos first);
  absl::Status IdleUntil(MonotonicNanos deadline);
  absl::StatusOr<Outcome> RunOnce();
  void ReportFailure(const absl::Status& failure);
  void CountOverrun(absl::Duration by, int64_t skipped);
};

// Returns at `deadline`, or with stop.ready(); parks once in any case, so that a loop which is
// always late still lets the others run.
absl::Status LoopingCall::State::IdleUntil(MonotonicNanos deadline) {
  Hub& hub = *Hub::Current();
  {
    Timeout timeout(deadline == kNever ? absl::InfiniteDuration()
                                       : absl::Nanoseconds(deadline - hub.now()));
    absl::Status waited = stop.Wait();
    if (!waited.ok() && !timeout.fired()) return waited;
  }
  // A Timeout around a fiber's body can't be: only a cancellation is left.
  const Wake wake = hub.interruption();
  return wake == Wake::kReady ? absl::OkStatus() : WakeStatus(wake, options.name);
}

absl::StatusOr<Outcome> LoopingCall::State::RunOnce() {
  ++counts.runs;
  absl::StatusOr<Outcome> step = Outcome{};
  if (options.failure == LoopOptions::Failure::kEnds) {
    step = body();
    counts.failures += !step.ok();
    return step;  // an exception goes to the fiber's entry, and from there to whoever waits
  }
  try {
    step = body();
  } catch (const std::exception&) {
    step = absl::UnknownError(DescribeCurrentException(absl::StrFormat("\"%s\"", options.name)));
  }
  if (step.ok()) return step;
  ++counts.failures;
  ReportFailure(step.status());
  return Outcome{};
}

void LoopingCall::State::ReportFailure(const absl::Status& failure) {
  if (options.report_failure) {
    options.report_failure(failure);
  } else {
    absl::FPrintF(stderr, "grove: looping call \"%s\" failed and goes on: %s\n", options.name,
                  failure.ToString());
  }
}

void LoopingCall::State::CountOverrun(absl::Duration by, int64_t skipped) {
  ++counts.overruns;
  counts.skipped += skipped;
  if (options.report_overrun) {
    options.report_overrun(by, skipped);
  } else {
    absl::FPrintF(
        stderr,
        "grove: a run of looping call \"%s\" outlasted its interval by %s: %d beats skipped\n",
        options.name, absl::FormatDuration(by), skipped);
  }
}

absl::Status LoopingCall::State::Loop(absl::Duration initial_delay) {
  Hub& hub = *Hub::Current();
  const MonotonicNanos first = DeadlineAfter(hub.now(), initial_delay);
  if (first > hub.now()) {
    if (absl::Status idle = IdleUntil(first); !idle.ok()) return idle;
  }
  return LoopFrom(first);
}

absl::Status LoopingCall::State::LoopFrom(MonotonicNanos first) {
  Hub& hub = *Hub::Current();
  begin(first);
  MonotonicNanos give_up_at = DeadlineAfter(first, options.total_timeout);
  while (!stop.ready()) {
    const absl::StatusOr<Outcome> step = RunOnce();
    if (!step.ok()) return step.status();
    if (step->step == LoopStep::kDone) return absl::OkStatus();
    // The hub's time stands still within a turn; a body that computes takes time all the same.
    const MonotonicNanos ended = hub.ReadClock();
    if (resets_timeout && step->step == LoopStep::kReset) {
      give_up_at = DeadlineAfter(ended, options.total_timeout);
    }
    const MonotonicNanos at = next(*step, ended);
    if (stop.ready()) break;
    if (at > give_up_at) {
      return absl::DeadlineExceededError(
          absl::StrFormat("looping call \"%s\": not done after %d runs within %s", options.name,
                          counts.runs, absl::FormatDuration(options.total_timeout)));
    }
    if (absl::Status idle = IdleUntil(at); !idle.ok()) return idle;
  }
  return absl::OkStatus();
}

LoopingCall::LoopingCall(std::shared_ptr<State> state) : state_(std::move(state)) {}

LoopingCall LoopingCall::FixedInterval(absl::Duration interval, Body body, LoopOptions options) {
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  if (interval < absl::Nanoseconds(1)) {
    state->valid = absl::InvalidArgumentError(absl::StrFormat(
        "a fixed interval must be positive, not %s", absl::FormatDuration(interval)));
  }
  state->body = [body = std::move(body)]() mutable -> absl::StatusOr<Outcome> {
    absl::StatusOr<LoopStep> step = body();
    if (!step.ok()) return step.status();
    return Outcome{.step = *step};
  };
  auto beats = std::make_shared<std::optional<Grid>>();
  state->begin = [beats, interval](MonotonicNanos first) { beats->emplace(first, interval); };
  state->next = [beats, s = state.get()](const Outcome&, MonotonicNanos ended) {
    const Grid::Step next = (*beats)->Advance(ended);
    if (next.outlasted_by > absl::ZeroDuration()) s->CountOverrun(next.outlasted_by, next.skipped);
    return next.at;
  };
  return LoopingCall(std::move(state));
}

LoopingCall LoopingCall::DynamicInterval(absl::Duration idle_max, IdleBody body,
                                         LoopOptions options) {
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  if (idle_max < absl::ZeroDuration()) {
    state->valid = absl::InvalidArgumentError("idle_max of a dynamic interval is negative");
  } else if (idle_max == absl::InfiniteDuration() &&
             state->options.failure == LoopOptions::Failure::kIsReported) {
    state->valid = absl::InvalidArgumentError(
        "a dynamic interval that goes on after failures idles for idle_max then: it must be "
        "finite");
  }
  state->body = [body = std::move(body)]() mutable -> absl::StatusOr<Outcome> {
    absl::StatusOr<std::optional<absl::Duration>> idle = body();
    if (!idle.ok()) return idle.status();
    if (!idle->has_value()) return Outcome{.step = LoopStep::kDone};
    return Outcome{.idle = **idle};
  };
  state->begin = [](MonotonicNanos) {};
  state->next = [idle_max](const Outcome& step, MonotonicNanos ended) {
    return DeadlineAfter(ended, std::min(step.idle.value_or(idle_max), idle_max));
  };
  return LoopingCall(std::move(state));
}

LoopingCall LoopingCall::Backoff(BackoffOptions pauses, Random random, Body body,
                                 LoopOptions options) {
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  state->resets_timeout = true;
  // Written so that a NaN fails, too.
  const bool sane = pauses.growth >= 1 && pauses.jitter >= 0 && pauses.jitter <= 1 &&
                    pauses.first > absl::ZeroDuration() && pauses.min > absl::ZeroDuration() &&
                    pauses.min <= pauses.max && random != nullptr;
  if (!sane) {
    state->valid = absl::InvalidArgumentError(
        "a back-off needs growth >= 1, jitter in [0, 1], first > 0, 0 < min <= max and randomness");
  }
  state->body = [body = std::move(body)]() mutable -> absl::StatusOr<Outcome> {
    absl::StatusOr<LoopStep> step = body();
    if (!step.ok()) return step.status();
    return Outcome{.step = *step};
  };
  auto series = std::make_shared<class Backoff>(pauses);
  state->begin = [series](MonotonicNanos) { series->Reset(); };
  state->next = [series, random = std::move(random)](const Outcome& step, MonotonicNanos ended) {
    if (step.step == LoopStep::kReset) series->Reset();
    return DeadlineAfter(ended, series->Next(random()));
  };
  return LoopingCall(std::move(state));
}

LoopingCall::~LoopingCall() {
  if (running()) fiber_.Cancel();
}

absl::Status LoopingCall::Start(absl::Duration initial_delay, SourceLocation site) {
  if (!state_->valid.ok()) return state_->valid;
  if (running()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("looping call \"%s\" is running already", state_->options.name));
  }
  state_->stop.Reset();
  state_->counts = {};
  absl::StatusOr<FiberHandle> spawned = Spawn(
      state_->options.name, [state = state_, initial_delay] { return state->Loop(initial_delay); },
      site);
  if (!spawned.ok()) return spawned.status();
  fiber_ = *std::move(spawned);
  return absl::OkStatus();
}

void LoopingCall::Stop() {
  if (running()) state_->stop.Set();
}

void LoopingCall::Cancel() {
  if (running() && !RunsCaller()) fiber_.Cancel();
}

bool LoopingCall::RunsCaller() const {
  return fiber_ && fiber_.get() == Hub::Current()->running();
}

absl::Status LoopingCall::Wait() {
  if (!fiber_) return absl::FailedPreconditionError("the looping call was never started");
  if (RunsCaller()) {
    return absl::FailedPreconditionError("a looping call can't wait for its own end");
  }
  return fiber_.Join();
}

const LoopCounts& LoopingCall::counts() const {
  return state_->counts;
}

}  // namespace grove
