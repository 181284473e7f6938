#include "server/supervisor/operation_requests.h"

#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::supervisor {
namespace {

using internal::v1::OperationRequest;

absl::Status FillScale(const v1::ScaleWorkersRequest& request, OperationSpec& spec) {
  if ((request.workers() == 0) == (request.change() == 0)) {
    return Refusal(
        absl::StatusCode::kInvalidArgument, "WORKERS_REQUIRED",
        "one of workers, how many there shall be, and change, how many more or fewer, is needed");
  }
  if (request.workers() < 0) return BadField("workers", "WORKERS_OUT_OF_RANGE", "at least 1");
  spec.workers = request.workers();
  spec.change = request.change();
  return absl::OkStatus();
}

absl::Status FillRestart(const v1::RestartWorkersRequest& request, OperationSpec& spec) {
  spec.control = request.control();
  if (spec.control && request.names_size() > 0) {
    return BadField("names", "CONTROL_ALONE", "control is restarted alone: without names");
  }
  for (const std::string& name : request.names()) {
    std::string_view number = name;
    int slot = 0;
    if (!ConsumePrefix(&number, "workers/") || !SimpleAtoi(number, &slot) || slot < 0) {
      return BadField("names", "WORKER_NAME_INVALID",
                      StrCat("'", Cut(name), "' is no worker's name; one is like workers/3"));
    }
    spec.slots.push_back(slot);
  }
  return absl::OkStatus();
}

absl::Status FillDrain(const v1::DrainRequest& request, OperationSpec& spec) {
  spec.old_generation = request.scope() == v1::DrainRequest::SCOPE_OLD_GENERATION;
  if (spec.old_generation || request.scope() == v1::DrainRequest::SCOPE_DAEMON) {
    return absl::OkStatus();
  }
  return BadField("scope", "SCOPE_REQUIRED", "SCOPE_DAEMON or SCOPE_OLD_GENERATION is needed");
}

absl::Status Fill(const OperationRequest& request, OperationSpec& spec) {
  switch (request.kind_case()) {
    case OperationRequest::kScale:
      spec.kind = OperationKind::kScale;
      return FillScale(request.scale(), spec);
    case OperationRequest::kRestart:
      spec.kind = OperationKind::kRestart;
      return FillRestart(request.restart(), spec);
    case OperationRequest::kDrain:
      spec.kind = OperationKind::kDrain;
      return FillDrain(request.drain(), spec);
    case OperationRequest::kReload:
      spec.kind = OperationKind::kReload;
      return absl::OkStatus();
    case OperationRequest::kUpgrade:
      spec.kind = OperationKind::kUpgrade;
      spec.program = request.upgrade().program();
      return absl::OkStatus();
    case OperationRequest::kSetLogLevel:
      spec.kind = OperationKind::kSetLogLevel;
      spec.level = request.set_log_level().level();
      return absl::OkStatus();
    default:
      return Refusal(absl::StatusCode::kUnimplemented, "OPERATION_UNKNOWN",
                     "the supervisor does not know what was asked of it");
  }
}

v1::Operation::Kind KindOf(OperationKind kind) {
  switch (kind) {
    case OperationKind::kScale:
      return v1::Operation::KIND_SCALE;
    case OperationKind::kRestart:
      return v1::Operation::KIND_RESTART;
    case OperationKind::kDrain:
      return v1::Operation::KIND_DRAIN;
    case OperationKind::kReload:
      return v1::Operation::KIND_RELOAD;
    case OperationKind::kUpgrade:
      return v1::Operation::KIND_UPGRADE;
    case OperationKind::kSetLogLevel:
      return v1::Operation::KIND_SET_LOG_LEVEL;
    case OperationKind::kRecycle:
      return v1::Operation::KIND_RECYCLE;
  }
  return v1::Operation::KIND_UNSPECIFIED;
}

v1::Operation::State StateOf(OperationState state) {
  switch (state) {
    case OperationState::kWaiting:
      return v1::Operation::STATE_WAITING;
    case OperationState::kRunning:
      return v1::Operation::STATE_RUNNING;
    case OperationState::kSucceeded:
      return v1::Operation::STATE_SUCCEEDED;
    case OperationState::kFailed:
      return v1::Operation::STATE_FAILED;
    case OperationState::kSuperseded:
      return v1::Operation::STATE_SUPERSEDED;
  }
  return v1::Operation::STATE_UNSPECIFIED;
}

void SetTime(google::protobuf::Timestamp& time, WallMicros us) {
  time.set_seconds(us / 1'000'000);
  time.set_nanos(static_cast<int32_t>(us % 1'000'000 * 1'000));
}

}  // namespace

absl::StatusOr<OperationSpec> SpecOf(const OperationRequest& request) {
  OperationSpec spec{.kind = OperationKind::kReload, .requested_by = request.requested_by()};
  if (absl::Status status = Fill(request, spec); !status.ok()) return status;
  return spec;
}

v1::Operation DescribeOperation(const Operation& operation, MonotonicNanos now,
                                WallMicros wall_now) {
  const auto wall = [&](MonotonicNanos at) { return wall_now - (now - at) / 1'000; };
  v1::Operation described;
  described.set_name(StrCat("operations/", operation.number));
  described.set_kind(KindOf(operation.spec.kind));
  described.set_state(StateOf(operation.state));
  described.set_message(operation.message);
  described.set_steps_done(operation.steps_done);
  described.set_steps(operation.steps);
  described.set_requested_by(operation.spec.requested_by);
  if (operation.begun != 0) SetTime(*described.mutable_start_time(), wall(operation.begun));
  if (operation.ended != 0) SetTime(*described.mutable_end_time(), wall(operation.ended));
  if (operation.error.ok()) return described;
  const bool has_reason = !RefusalReason(operation.error).empty();
  const std::string failed =
      StrCat(absl::AsciiStrToUpper(Abseil(NameOf(operation.spec.kind))), "_FAILED");
  *described.mutable_error() =
      DescribeStatus(has_reason ? operation.error : WithReason(operation.error, failed));
  return described;
}

}  // namespace grove::supervisor
