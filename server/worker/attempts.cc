// An attempt lives in attempts_ from Start() to Acknowledge(), longer than its fiber: its end must
// survive a broken link and a new control (invariant 9). The outbox holds ids, not pointers, since
// an acknowledgement may come between the news and its telling.
//
// Every started attempt ends with exactly one Conclude(): from Run() if the function returns, from
// EndsWithoutResult() if it throws or its fiber never ran, from Refuse() if there was no fiber.
#include "server/worker/attempts.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/log.h"
#include "server/refusal.h"
#include "server/worker/attempt_trace.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {

using internal::v1::AttemptEnded;

namespace {

// What control answers to spawns while it drains.
constexpr std::string_view kDrainingReason = "DRAINING";
// No task has a longer name.
constexpr size_t kTaskNameBytesMax = 255;

void FillSuspension(const SuspensionRequest& asked, internal::v1::Suspension& suspension) {
  if (asked.at_most) suspension.set_for_us(absl::ToInt64Microseconds(*asked.at_most));
  for (const std::string& task : asked.tasks) {
    suspension.add_tasks(Utf8Text(task, kTaskNameBytesMax));
  }
}

// Of what this side refuses itself: clients ask for it.
void TellReason(const absl::Status& status, google::rpc::Status& error) {
  const auto info = status.GetPayload(Abseil(kErrorInfoType));
  if (!info.has_value()) return;
  google::protobuf::Any& detail = *error.add_details();
  detail.set_type_url(std::string(kErrorInfoType));
  detail.set_value(std::string(*info));
}

}  // namespace

struct Attempts::Attempt {
  // Why it was told to end; a time-out is known to its Timeout.
  enum class Cause { kNone, kCancelled, kInterrupted };

  internal::v1::StartAttempt start;
  std::shared_ptr<const FiberLabel> label;
  absl::Duration timeout;
  absl::Time started_at;
  FiberHandle fiber;  // while it runs
  FiberId fiber_id = 0;
  Cause cause = Cause::kNone;
  std::string cancel_reason;
  bool timed_out = false;
  std::optional<Output> output;
  // Its file is kept until control has it.
  std::shared_ptr<StreamedOutput> streamed;
  // The latest progress, while it has not been told.
  bool has_progress = false;
  double fraction = 0;
  std::string message;
  // What it leaves to the next one, and whether control has been told; a sign of life that it has
  // not.
  std::optional<std::string> checkpoint;
  bool checkpoint_told = false;
  bool is_heard = false;
  // Set once it has ended.
  std::optional<AttemptEnded> end;
};

class Attempts::Context final : public TaskContext {
 public:
  Context(Attempts& attempts, Attempt& attempt) : attempts_(attempts), attempt_(attempt) {}

  std::string_view task() const override { return attempt_.start.task(); }
  std::string_view tenant() const override { return attempt_.start.tenant(); }
  std::string_view function() const override { return attempt_.start.function(); }
  int attempt() const override { return attempt_.start.number(); }
  std::string_view input() const override { return attempt_.start.input(); }
  std::string_view content_type() const override { return attempt_.start.content_type(); }
  std::string_view checkpoint() const override { return attempt_.start.checkpoint(); }
  absl::Time deadline() const override { return attempt_.started_at + attempt_.timeout; }
  bool cancelled() const override { return attempt_.fiber && attempt_.fiber->cancelled(); }
  WorkerServices& services() override { return attempts_.services_; }

  void Heartbeat() override { attempts_.Hear(attempt_); }

  absl::StatusOr<std::unique_ptr<InputStream>> OpenInput() override {
    if (!attempt_.start.has_input_payload() || !attempt_.start.input().empty()) {
      return MemoryInput(input());
    }
    return OpenPayload(attempts_.payloads_, services().offload,
                       attempt_.start.input_payload().file());
  }

  absl::StatusOr<std::unique_ptr<OutputStream>> OpenOutput(std::string content_type) override {
    return worker::OpenOutput(attempts_.payloads_, services().offload,
                              attempts_.limits_.output_max_bytes, tenant(),
                              std::move(content_type));
  }

  absl::Status Checkpoint(std::string detail) override {
    if (detail.size() > kCheckpointBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat("the checkpoint has ", detail.size(),
                                                     " bytes; at most ", kCheckpointBytesMax,
                                                     " are allowed"));
    }
    attempt_.checkpoint = std::move(detail);
    attempt_.checkpoint_told = false;
    attempts_.Hear(attempt_);
    return absl::OkStatus();
  }

  void ReportProgress(double fraction, std::string_view message) override {
    attempt_.fraction = std::clamp(fraction, 0.0, 1.0);
    attempt_.message = Utf8Text(message, kProgressMessageBytesMax);
    if (attempt_.has_progress) return;
    attempt_.has_progress = true;
    attempts_.progressed_.push_back(attempt_.start.attempt());
    attempts_.news_.Set();
  }

  void Log(std::string_view message) override {
    services().log.Info(message,
                        {{"task", task()}, {"function", function()}, {"attempt", attempt()}});
  }

 private:
  Attempts& attempts_;
  Attempt& attempt_;
};

Attempts::Attempts(const Functions& functions, WorkerServices& services, AttemptLimits limits)
    : functions_(functions), services_(services), limits_(limits) {}

Attempts::~Attempts() {
  GROVE_CHECK(running_ == 0, "an attempt outlives its worker");
}

void Attempts::Start(internal::v1::StartAttempt start) {
  Attempt* attempt = Register(std::move(start));
  if (attempt == nullptr) return;
  if (draining_) {
    return Refuse(*attempt, AttemptEnded::OUTCOME_INTERRUPTED,
                  absl::UnavailableError("the worker drains"));
  }
  if (running_ > limits_.running_max) {
    return Refuse(*attempt, AttemptEnded::OUTCOME_INTERRUPTED,
                  absl::ResourceExhaustedError(absl::StrCat("the worker runs ", limits_.running_max,
                                                            " attempts, its limit")));
  }
  const auto function = functions_.find(attempt->start.function());
  if (function == functions_.end()) {
    return Refuse(*attempt, AttemptEnded::OUTCOME_FAILED,
                  absl::InvalidArgumentError(
                      absl::StrCat("no function \"", attempt->start.function(), "\" here")));
  }
  const absl::Duration own = function->second.options.default_timeout;
  attempt->timeout = attempt->start.timeout_ms() > 0
                         ? absl::Milliseconds(attempt->start.timeout_ms())
                         : (own > absl::ZeroDuration() ? own : limits_.default_timeout);
  if (absl::Status spawned = SpawnFiber(*attempt); !spawned.ok()) {
    Refuse(*attempt, AttemptEnded::OUTCOME_INTERRUPTED, std::move(spawned));
  }
}

Attempts::Attempt* Attempts::Register(internal::v1::StartAttempt start) {
  const auto [place, added] = attempts_.try_emplace(start.attempt());
  if (!added) return nullptr;
  place->second = std::make_unique<Attempt>();
  Attempt& attempt = *place->second;
  attempt.start = std::move(start);
  attempt.label = std::make_shared<const FiberLabel>(
      FiberLabel{.tenant = attempt.start.tenant(), .task = attempt.start.task()});
  attempt.started_at = absl::Now();
  ++running_;
  ++stats_.started;
  return &attempt;
}

absl::Status Attempts::SpawnFiber(Attempt& attempt) {
  // Dies with the closure, also when the body throws or never runs.
  auto guard = absl::MakeCleanup([this, &attempt] {
    if (!attempt.end.has_value()) EndsWithoutResult(attempt.start.attempt());
  });
  const SpawnOptions options{.name = attempt.start.function(), .label = attempt.label};
  absl::StatusOr<FiberHandle> fiber =
      Spawn(options, [this, &attempt, guard = std::move(guard)] { return Run(attempt); });
  if (!fiber.ok()) return fiber.status();
  attempt.fiber = *std::move(fiber);
  attempt.fiber_id = attempt.fiber->id();
  started_.push_back(attempt.start.attempt());
  news_.Set();
  return absl::OkStatus();
}

absl::Status Attempts::Run(Attempt& attempt) {
  attempt.started_at = absl::Now();
  AttemptTrace trace(tracer_, attempt.start);
  absl::StatusOr<Output> result = Call(attempt);
  if (result.ok()) attempt.output = std::move(*result);
  Conclude(attempt, result.status());
  trace.NoteEnd(*attempt.end);
  return absl::OkStatus();
}

absl::StatusOr<Output> Attempts::Call(Attempt& attempt) {
  Timeout timeout(attempt.timeout);
  // Also when the function throws: an exception that a time-out led to is a time-out.
  const auto watch = absl::MakeCleanup([&] { attempt.timed_out = timeout.fired(); });
  Context context(*this, attempt);
  const Application::FunctionEntry& entry = functions_.at(attempt.start.function());
  if (attempt.start.has_input_payload() && !entry.options.streams_input) {
    absl::StatusOr<std::string> input =
        ReadPayload(payloads_, services_.offload, attempt.start.input_payload().file());
    if (!input.ok()) return input.status();
    attempt.start.set_input(*std::move(input));
  }
  return entry.function(context);
}

// The fiber never started, or an exception ends it: its handle will know which, once it has ended.
void Attempts::EndsWithoutResult(uint64_t id) {
  Hub::Current()->Post([this, id] {
    const auto found = attempts_.find(id);
    if (found == attempts_.end() || found->second->end.has_value()) return;
    Conclude(*found->second, found->second->fiber.Join());
  });
}

void Attempts::Refuse(Attempt& attempt, AttemptEnded::Outcome outcome, absl::Status why) {
  if (outcome == AttemptEnded::OUTCOME_INTERRUPTED) attempt.cause = Attempt::Cause::kInterrupted;
  Conclude(attempt, std::move(why));
}

// The cause decides before the status: a function may have turned the failed park into anything.
// Makes `status` say the same.
AttemptEnded::Outcome Attempts::Judge(const Attempt& attempt, absl::Status& status) const {
  if (attempt.cause == Attempt::Cause::kCancelled) {
    status = absl::CancelledError(attempt.cancel_reason);
    return AttemptEnded::OUTCOME_CANCELLED;
  }
  if (attempt.cause == Attempt::Cause::kInterrupted) {
    if (status.ok()) status = absl::UnavailableError("the worker ended");
    return AttemptEnded::OUTCOME_INTERRUPTED;
  }
  if (attempt.timed_out) {
    status = absl::DeadlineExceededError(
        absl::StrCat("timed out after ", absl::FormatDuration(attempt.timeout)));
    return AttemptEnded::OUTCOME_TIMED_OUT;
  }
  // The daemon's end kept it from spawning: that is not its failure.
  if (ReasonOf(status) == kDrainingReason) return AttemptEnded::OUTCOME_INTERRUPTED;
  if (SuspensionOf(status)) return AttemptEnded::OUTCOME_SUSPENDED;
  if (!status.ok()) return AttemptEnded::OUTCOME_FAILED;
  if (const size_t bytes = attempt.output->bytes.size(); bytes > limits_.output_max_bytes) {
    status = absl::ResourceExhaustedError(
        absl::StrCat("the output has ", bytes, " bytes, more than the ", limits_.output_max_bytes,
                     " of tasks.output_max_bytes"));
    return AttemptEnded::OUTCOME_FAILED;
  }
  return AttemptEnded::OUTCOME_SUCCEEDED;
}

// Invariant 9: the end stays in attempts_ until control acknowledges it.
void Attempts::Conclude(Attempt& attempt, absl::Status status) {
  AttemptEnded& end = attempt.end.emplace();
  end.set_attempt(attempt.start.attempt());
  end.set_start_time_us(absl::ToUnixMicros(attempt.started_at));
  end.set_end_time_us(absl::ToUnixMicros(absl::Now()));
  end.set_outcome(Judge(attempt, status));
  if (end.outcome() == AttemptEnded::OUTCOME_SUCCEEDED) {
    end.set_output(std::move(attempt.output->bytes));
    attempt.streamed = std::move(attempt.output->streamed);
    if (const auto* written = dynamic_cast<const WrittenPayload*>(attempt.streamed.get())) {
      written->Describe(*end.mutable_output_payload());
    }
    end.set_output_content_type(Utf8Text(attempt.output->content_type, kContentTypeBytesMax));
  }
  if (end.outcome() == AttemptEnded::OUTCOME_SUSPENDED) {
    FillSuspension(*SuspensionOf(status), *end.mutable_suspended());
    status = absl::OkStatus();
  }
  if (end.outcome() == AttemptEnded::OUTCOME_FAILED) {
    end.set_never_again(IsNeverAgain(status));
    if (const auto delay = RetryAfterOf(status)) {
      end.set_retry_after_us(absl::ToInt64Microseconds(*delay));
    }
  }
  if (end.outcome() != AttemptEnded::OUTCOME_SUCCEEDED && attempt.checkpoint.has_value()) {
    end.set_checkpoint(*std::move(attempt.checkpoint));
  }
  attempt.checkpoint.reset();
  if (!status.ok()) {
    end.mutable_error()->set_code(static_cast<int>(status.code()));
    end.mutable_error()->set_message(Utf8Text(Std(status.message()), kErrorMessageBytesMax));
    TellReason(status, *end.mutable_error());
  }
  if (attempt.fiber) {
    end.set_run_time_us(attempt.fiber->run_time() / 1000);
    attempt.fiber = FiberHandle();
  }
  attempt.output.reset();
  attempt.start.clear_input();
  Account(end);
}

void Attempts::Account(const AttemptEnded& end) {
  stats_.run_time_us += end.run_time_us();
  ++stats_.ended;
  if (--running_ == 0) idle_.Set();
  ended_.push_back(end.attempt());
  news_.Set();
}

void Attempts::Cancel(const internal::v1::CancelAttempt& cancel) {
  const auto found = attempts_.find(cancel.attempt());
  if (found == attempts_.end()) return;
  Attempt& attempt = *found->second;
  if (attempt.end.has_value() || attempt.timed_out) return;
  if (attempt.cause != Attempt::Cause::kNone) return;
  attempt.cause = Attempt::Cause::kCancelled;
  attempt.cancel_reason = cancel.reason().empty() ? "cancelled" : cancel.reason();
  attempt.fiber.Cancel();
}

void Attempts::Acknowledge(uint64_t id) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end() || !found->second->end.has_value()) return;
  attempts_.erase(found);
  if (attempts_.empty()) acknowledged_.Set();
}

void Attempts::FillHello(internal::v1::Hello& hello) {
  hello.set_capacity(limits_.running_max);
  // An end counts as running until it is told, which is in the frames that follow.
  started_.clear();
  ended_.clear();
  for (auto& [id, attempt] : attempts_) {
    hello.add_running(id);
    internal::v1::RunningAttempt& running = *hello.add_attempts();
    running.set_attempt(id);
    running.set_task(attempt->start.task());
    running.set_number(attempt->start.number());
    running.set_start_time_us(absl::ToUnixMicros(attempt->started_at));
    if (attempt->end.has_value()) {
      ended_.push_back(id);
    } else if (attempt->checkpoint.has_value()) {
      attempt->checkpoint_told = false;
      Hear(*attempt);
    }
  }
  if (!ended_.empty()) news_.Set();
}

void Attempts::Hear(Attempt& attempt) {
  if (std::exchange(attempt.is_heard, true)) return;
  heard_.push_back(attempt.start.attempt());
  news_.Set();
}

bool Attempts::TakeNews(internal::v1::WorkerFrame& frame) {
  for (const uint64_t id : std::exchange(started_, {})) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) continue;
    internal::v1::AttemptStarted& started = *frame.add_started();
    started.set_attempt(id);
    started.set_fiber(found->second->fiber_id);
  }
  TakeProgress(frame);
  TakeHeartbeats(frame);
  TakeEnds(frame);
  if (ended_.empty() && heard_.empty()) news_.Reset();
  return frame.started_size() + frame.progress_size() + frame.heartbeats_size() +
             frame.ended_size() >
         0;
}

void Attempts::TakeProgress(internal::v1::WorkerFrame& frame) {
  for (const uint64_t id : std::exchange(progressed_, {})) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) continue;
    Attempt& attempt = *found->second;
    attempt.has_progress = false;
    internal::v1::AttemptProgress& progress = *frame.add_progress();
    progress.set_attempt(id);
    progress.set_fraction(attempt.fraction);
    progress.set_message(attempt.message);
  }
}

void Attempts::TakeHeartbeats(internal::v1::WorkerFrame& frame) {
  size_t bytes = 0;
  while (!heard_.empty() && bytes < kCheckpointsPerFrameBytesMax) {
    const auto found = attempts_.find(heard_.front());
    heard_.pop_front();
    if (found == attempts_.end()) continue;
    Attempt& attempt = *found->second;
    attempt.is_heard = false;
    // Its end says it all.
    if (attempt.end.has_value()) continue;
    internal::v1::AttemptHeartbeat& heartbeat = *frame.add_heartbeats();
    heartbeat.set_attempt(found->first);
    if (!attempt.checkpoint.has_value() || std::exchange(attempt.checkpoint_told, true)) continue;
    heartbeat.set_checkpoint(*attempt.checkpoint);
    bytes += attempt.checkpoint->size();
  }
}

void Attempts::TakeEnds(internal::v1::WorkerFrame& frame) {
  size_t bytes = 0;
  while (!ended_.empty() && bytes < kEndsPerFrameBytesMax) {
    const auto found = attempts_.find(ended_.front());
    ended_.pop_front();
    if (found == attempts_.end()) continue;
    *frame.add_ended() = *found->second->end;
    bytes += found->second->end->ByteSizeLong();
  }
}

absl::Status Attempts::Drain(MonotonicNanos deadline) {
  draining_ = true;
  if (running_ == 0) return absl::OkStatus();
  idle_.Reset();
  {
    Timeout timeout(absl::Nanoseconds(deadline - Hub::Current()->now()));
    absl::Status status = idle_.Wait();
    if (!timeout.fired()) return status;
  }
  for (auto& [id, attempt] : attempts_) {
    if (attempt->end.has_value()) continue;
    if (attempt->cause == Attempt::Cause::kNone) attempt->cause = Attempt::Cause::kInterrupted;
    attempt->fiber.Cancel();
  }
  return running_ == 0 ? absl::OkStatus() : idle_.Wait();
}

absl::Status Attempts::AwaitAcknowledged() {
  if (attempts_.empty()) return absl::OkStatus();
  acknowledged_.Reset();
  return acknowledged_.Wait();
}

}  // namespace grove::worker
