#include "server/control/gateway_frames.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/rpc_status.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_spec.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using internal::v1::AttemptEnded;
using proto::SetMicros;
using proto::ToMicros;

constexpr size_t kSessionBytesMin = 16;
constexpr size_t kSessionBytesMax = 64;
constexpr size_t kShownBytesMax = 255;
constexpr int64_t kUsPerMs = 1000;
// As the daemon's own functions may leave.
constexpr size_t kCheckpointBytesMax = 64 << 10;
constexpr std::string_view kFunctionPrefix = "functions/";

absl::Status Bad(std::string_view field, std::string_view problem) {
  return tasks::Refusal(absl::StatusCode::kInvalidArgument, "REGISTRATION_INVALID",
                        StrCat("registration.", field, ": ", problem));
}

std::string_view ShortName(const v1::Function& function) {
  std::string_view name = function.name();
  if (name.starts_with(kFunctionPrefix)) name.remove_prefix(kFunctionPrefix.size());
  return name;
}

bool IsFunctionName(std::string_view name) {
  const auto is_part = [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && absl::ascii_isalnum(name.front()) && absl::ascii_isalnum(name.back()) &&
         std::all_of(name.begin(), name.end(), is_part);
}

internal::v1::FunctionDescription DescriptionOf(const v1::Function& function,
                                                std::string_view tenant) {
  internal::v1::FunctionDescription description;
  description.set_name(StrCat(tenant, "/", ShortName(function)));
  description.set_description(function.description());
  description.set_input_example(function.input_example());
  description.set_default_timeout_ms(ToMicros(function.default_timeout()) / kUsPerMs);
  if (function.has_retry_policy()) {
    *description.mutable_retry() = function.retry_policy();
    description.mutable_not_retried()->CopyFrom(function.retry_policy().not_retried_codes());
  }
  description.set_queue(function.queue());
  description.set_concurrency_max(function.concurrency_max());
  description.set_heartbeat_timeout_ms(ToMicros(function.heartbeat_timeout()) / kUsPerMs);
  description.set_schedule_to_start_timeout_ms(ToMicros(function.schedule_to_start_timeout()) /
                                               kUsPerMs);
  description.set_slot_cost(function.slot_cost());
  // Its worker reads a payload itself, at its own pace.
  description.set_streams_input(true);
  return description;
}

// As each task would be refused that leaves it to the function.
absl::Status CheckFunction(const v1::Function& function, std::string_view tenant) {
  const std::string name(ShortName(function));
  const size_t longest = tasks::kFunctionNameMax - tenant.size() - 1;
  if (!IsFunctionName(name) || name.size() > longest) {
    return Bad("functions.name",
               StrCat("\"", absl::CEscape(name), "\" is no name: 1 to ", longest,
                      " letters, digits, '.', '-' and '_', a letter or digit at both ends"));
  }
  v1::TaskSpec spec;
  spec.set_function(name);
  if (function.has_default_timeout()) *spec.mutable_timeout() = function.default_timeout();
  if (function.has_retry_policy()) *spec.mutable_retry_policy() = function.retry_policy();
  if (function.has_heartbeat_timeout()) {
    *spec.mutable_heartbeat_timeout() = function.heartbeat_timeout();
  }
  if (function.has_schedule_to_start_timeout()) {
    *spec.mutable_schedule_to_start_timeout() = function.schedule_to_start_timeout();
  }
  spec.set_queue(function.queue());
  spec.set_slot_cost(function.slot_cost());
  const absl::Status fits =
      tasks::CheckSpec(spec, tenant, {.input_max_bytes = 0}, [](std::string_view) { return true; });
  if (!fits.ok()) return Bad(StrCat("functions.", name), Std(fits.message()));
  if (function.concurrency_max() < 0) {
    return Bad(StrCat("functions.", name, ".concurrency_max"), "is negative");
  }
  return absl::OkStatus();
}

absl::Status CheckShown(std::string_view field, const std::string& text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  if (is_plain && text.size() <= kShownBytesMax) return absl::OkStatus();
  return Bad(field, StrCat("is to be at most ", kShownBytesMax, " printable bytes"));
}

WallMicros TimeOr(const google::protobuf::Timestamp& time, bool is_set, WallMicros otherwise) {
  return is_set ? std::min(ToMicros(time), otherwise) : otherwise;
}

void SetError(absl::StatusCode code, std::string_view reason, std::string_view text,
              AttemptEnded& ended) {
  ended.set_outcome(AttemptEnded::OUTCOME_FAILED);
  *ended.mutable_error() = ToRpcStatus(tasks::Refusal(code, reason, text));
}

void TakeOutput(v1::AttemptOutput&& output, const GatewayWorker& worker, AttemptEnded& ended) {
  const auto bytes = static_cast<int64_t>(output.data().size());
  if (bytes > worker.output_max_bytes) {
    return SetError(absl::StatusCode::kResourceExhausted, "OUTPUT_TOO_LARGE",
                    StrCat("the output has ", bytes, " bytes; at most ", worker.output_max_bytes,
                           " are kept (tasks.output_max_bytes)"),
                    ended);
  }
  ended.set_outcome(AttemptEnded::OUTCOME_SUCCEEDED);
  *ended.mutable_output() = std::move(*output.mutable_data());
  ended.set_output_content_type(output.content_type().empty()
                                    ? std::string(tasks::kJsonContentType)
                                    : output.content_type().substr(0, tasks::kContentTypeMax));
}

void TakeFailure(v1::AttemptFailure&& failure, AttemptEnded& ended) {
  ended.set_outcome(AttemptEnded::OUTCOME_FAILED);
  *ended.mutable_error() = std::move(*failure.mutable_error());
  // What is no error fails as one that says nothing.
  if (ended.error().code() <= 0) ended.mutable_error()->set_code(2);
  if (failure.has_retry_after()) {
    ended.set_retry_after_us(std::max<int64_t>(ToMicros(failure.retry_after()), 0));
  }
  ended.set_never_again(failure.never_again());
}

void TakeSuspension(v1::AttemptSuspension&& asked, std::string_view tenant, AttemptEnded& ended) {
  ended.set_outcome(AttemptEnded::OUTCOME_SUSPENDED);
  internal::v1::Suspension& suspended = *ended.mutable_suspended();
  if (asked.has_duration()) suspended.set_for_us(ToMicros(asked.duration()));
  for (std::string& task : *asked.mutable_tasks()) {
    const auto name = tenancy::ParseTaskName(task);
    if (!name.ok() || name->tenant != tenant) {
      return SetError(
          absl::StatusCode::kNotFound, "TASK_NOT_FOUND",
          StrCat("it is to wait for ", absl::CEscape(task), ", and there is no such task"), ended);
    }
    suspended.add_tasks(std::move(task));
  }
}

std::optional<AttemptEnded> EndedOf(v1::AttemptResult&& result, const GatewayWorker& worker,
                                    WallMicros now_us) {
  const auto attempt = AttemptOf(result.attempt());
  if (!attempt) return std::nullopt;
  AttemptEnded ended;
  ended.set_attempt(*attempt);
  ended.set_end_time_us(TimeOr(result.end_time(), result.has_end_time(), now_us));
  ended.set_start_time_us(
      TimeOr(result.start_time(), result.has_start_time(), ended.end_time_us()));
  const bool leaves = result.has_checkpoint() && result.checkpoint().size() <= kCheckpointBytesMax;
  if (leaves) ended.set_checkpoint(std::move(*result.mutable_checkpoint()));
  switch (result.outcome_case()) {
    case v1::AttemptResult::kOutput:
      TakeOutput(std::move(*result.mutable_output()), worker, ended);
      break;
    case v1::AttemptResult::kFailure:
      TakeFailure(std::move(*result.mutable_failure()), ended);
      break;
    case v1::AttemptResult::kCancelled:
      ended.set_outcome(AttemptEnded::OUTCOME_CANCELLED);
      break;
    case v1::AttemptResult::kReturned:
      ended.set_outcome(AttemptEnded::OUTCOME_INTERRUPTED);
      break;
    case v1::AttemptResult::kSuspension:
      TakeSuspension(std::move(*result.mutable_suspension()), worker.tenant, ended);
      break;
    case v1::AttemptResult::OUTCOME_NOT_SET:
      SetError(absl::StatusCode::kInternal, "RESULT_INVALID",
               "its worker told a result without an outcome", ended);
      break;
  }
  return ended;
}

void AddReport(v1::AttemptReport&& report, internal::v1::WorkerFrame& frame) {
  const auto attempt = AttemptOf(report.attempt());
  if (!attempt) return;
  if (report.has_progress() || !report.message().empty()) {
    internal::v1::AttemptProgress& progress = *frame.add_progress();
    progress.set_attempt(*attempt);
    progress.set_fraction(std::clamp(report.progress(), 0.0, 1.0));
    progress.set_message(report.message().substr(0, kShownBytesMax));
  }
  internal::v1::AttemptHeartbeat& heartbeat = *frame.add_heartbeats();
  heartbeat.set_attempt(*attempt);
  if (report.has_checkpoint() && report.checkpoint().size() <= kCheckpointBytesMax) {
    heartbeat.set_checkpoint(std::move(*report.mutable_checkpoint()));
  }
}

void FillStart(internal::v1::StartAttempt&& start, std::string_view tenant, v1::AttemptStart& to) {
  to.set_attempt(AttemptName(start.attempt()));
  to.set_task(std::move(*start.mutable_task()));
  std::string_view function = start.function();
  if (function.starts_with(StrCat(tenant, "/"))) function.remove_prefix(tenant.size() + 1);
  to.set_function(std::string(function));
  if (start.has_input_payload()) {
    to.set_input_payload(tenancy::FormatPayloadName(tenant, start.input_payload().file()));
  } else {
    to.set_input(std::move(*start.mutable_input()));
  }
  to.set_content_type(std::move(*start.mutable_content_type()));
  to.set_number(start.number());
  SetMicros(start.timeout_ms() * kUsPerMs, to.mutable_timeout());
  to.mutable_labels()->swap(*start.mutable_labels());
  to.set_checkpoint(std::move(*start.mutable_checkpoint()));
  to.set_traceparent(std::move(*start.mutable_traceparent()));
  to.set_tracestate(std::move(*start.mutable_tracestate()));
}

}  // namespace

absl::Status CheckRegistration(const v1::WorkerRegistration& registration,
                               std::string_view tenant) {
  const std::string& session = registration.session();
  const bool is_plain = std::all_of(session.begin(), session.end(), absl::ascii_isalnum);
  if (!is_plain || session.size() < kSessionBytesMin || session.size() > kSessionBytesMax) {
    return Bad("session", StrCat("is to be ", kSessionBytesMin, " to ", kSessionBytesMax,
                                 " random letters and digits, new for each process"));
  }
  if (registration.capacity() < 1 || registration.capacity() > kGatewayCapacityMax) {
    return Bad("capacity", StrCat(registration.capacity(), " is not 1 to ", kGatewayCapacityMax,
                                  " attempts at once"));
  }
  if (registration.functions_size() < 1 || registration.functions_size() > kGatewayFunctionsMax) {
    return Bad("functions", StrCat("there are ", registration.functions_size(),
                                   "; a worker has 1 to ", kGatewayFunctionsMax));
  }
  for (const v1::Function& function : registration.functions()) {
    if (absl::Status status = CheckFunction(function, tenant); !status.ok()) return status;
  }
  absl::Status shown = CheckShown("host", registration.host());
  if (shown.ok()) shown = CheckShown("runtime", registration.runtime());
  return shown;
}

// FNV-1a, which is the same everywhere.
uint64_t GatewayIncarnation(std::string_view tenant, std::string_view session) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string_view part : {tenant, std::string_view("/"), session}) {
    for (const char c : part) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  }
  return hash;
}

std::string AttemptName(uint64_t attempt) {
  return absl::StrFormat("%016x", attempt);
}

std::optional<uint64_t> AttemptOf(std::string_view name) {
  uint64_t attempt = 0;
  const bool is_hex = std::all_of(name.begin(), name.end(), absl::ascii_isxdigit);
  if (name.size() != 16 || !is_hex || !absl::SimpleHexAtoi(Abseil(name), &attempt)) {
    return std::nullopt;
  }
  return attempt;
}

std::optional<int32_t> WorkerNumber(std::string_view name) {
  constexpr std::string_view kPrefix = "workers/";
  int32_t number = -1;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  if (!absl::SimpleAtoi(Abseil(name.substr(kPrefix.size())), &number)) return std::nullopt;
  return number;
}

internal::v1::Hello HelloOf(v1::ConnectWorkerRequest&& first, const GatewayWorker& worker,
                            WallMicros now_us) {
  v1::WorkerRegistration& registration = *first.mutable_registration();
  internal::v1::Hello hello;
  hello.set_worker(worker.number);
  hello.set_pid(registration.pid());
  hello.set_incarnation(GatewayIncarnation(worker.tenant, registration.session()));
  hello.set_capacity(first.has_capacity()
                         ? std::clamp<int64_t>(first.capacity(), 0, kGatewayCapacityMax)
                         : registration.capacity());
  for (const v1::Function& function : registration.functions()) {
    *hello.add_functions() = DescriptionOf(function, worker.tenant);
  }
  for (const v1::RunningAttempt& running : registration.running()) {
    const auto attempt = AttemptOf(running.attempt());
    if (!attempt) continue;
    hello.add_running(*attempt);
    const auto name = tenancy::ParseTaskName(running.task());
    if (!name.ok() || name->tenant != worker.tenant) continue;
    internal::v1::RunningAttempt& told = *hello.add_attempts();
    told.set_attempt(*attempt);
    told.set_task(running.task());
    told.set_number(running.number());
    told.set_start_time_us(TimeOr(running.start_time(), running.has_start_time(), now_us));
  }
  for (v1::AttemptResult& result : *first.mutable_results()) {
    if (auto ended = EndedOf(std::move(result), worker, now_us)) {
      *hello.add_ended() = *std::move(ended);
    }
  }
  return hello;
}

internal::v1::WorkerFrame FrameOf(v1::ConnectWorkerRequest&& request, const GatewayWorker& worker,
                                  WallMicros now_us) {
  internal::v1::WorkerFrame frame;
  for (v1::AttemptReport& report : *request.mutable_reports()) {
    AddReport(std::move(report), frame);
  }
  for (v1::AttemptResult& result : *request.mutable_results()) {
    if (auto ended = EndedOf(std::move(result), worker, now_us)) {
      *frame.add_ended() = *std::move(ended);
    }
  }
  frame.set_draining(request.draining());
  return frame;
}

void AddFrame(internal::v1::ControlFrame&& frame, std::string_view tenant,
              v1::ConnectWorkerResponse& response) {
  for (internal::v1::StartAttempt& start : *frame.mutable_start()) {
    FillStart(std::move(start), tenant, *response.add_starts());
  }
  for (const internal::v1::CancelAttempt& cancel : frame.cancel()) {
    v1::AttemptCancel& to = *response.add_cancels();
    to.set_attempt(AttemptName(cancel.attempt()));
    to.set_reason(cancel.reason());
  }
  for (const uint64_t attempt : frame.acknowledged()) {
    response.add_acknowledged(AttemptName(attempt));
  }
}

internal::v1::WorkerFrame StartedOf(const v1::ConnectWorkerResponse& sent) {
  internal::v1::WorkerFrame frame;
  for (const v1::AttemptStart& start : sent.starts()) {
    frame.add_started()->set_attempt(*AttemptOf(start.attempt()));
  }
  return frame;
}

}  // namespace grove::control
