// Client's operations: what an operator has the daemon do with itself.
//
// Beginning one is sent once; following one changes nothing, and outlasts a restart of control, of
// which it may be the cause.

#include <string_view>
#include <utility>

#include "client/channel.h"
#include "client/client.h"
#include "client/patience.h"
#include "client/stubs.h"

namespace grove::client {

using OperationStub = v1::OperationService::Stub;

absl::StatusOr<v1::Operation> Client::ScaleWorkers(const v1::ScaleWorkersRequest& request) {
  return stubs_->Call(stubs_->operations, &OperationStub::ScaleWorkers, request);
}

absl::StatusOr<v1::Operation> Client::RestartWorkers(const v1::RestartWorkersRequest& request) {
  return stubs_->Call(stubs_->operations, &OperationStub::RestartWorkers, request);
}

absl::StatusOr<v1::Operation> Client::Drain(v1::DrainRequest::Scope scope) {
  v1::DrainRequest request;
  request.set_scope(scope);
  return stubs_->Call(stubs_->operations, &OperationStub::Drain, request);
}

absl::StatusOr<v1::Operation> Client::Reload() {
  return stubs_->Call(stubs_->operations, &OperationStub::Reload, v1::ReloadRequest());
}

absl::StatusOr<v1::Operation> Client::Upgrade(std::string_view program) {
  v1::UpgradeRequest request;
  request.set_program(std::string(program));
  return stubs_->Call(stubs_->operations, &OperationStub::Upgrade, request);
}

absl::StatusOr<v1::Operation> Client::SetLogLevel(std::string_view level) {
  v1::SetLogLevelRequest request;
  request.set_level(std::string(level));
  return stubs_->Call(stubs_->operations, &OperationStub::SetLogLevel, request);
}

absl::StatusOr<v1::Operation> Client::GetOperation(std::string_view name) {
  v1::GetOperationRequest request;
  request.set_name(std::string(name));
  return stubs_->CallAgain(stubs_->operations, &OperationStub::GetOperation, request);
}

absl::StatusOr<v1::ListOperationsResponse> Client::ListOperations(v1::ListOperationsRequest request,
                                                                  int64_t limit) {
  return stubs_->Pages(
      stubs_->operations, &OperationStub::ListOperations, std::move(request), limit,
      [](v1::ListOperationsResponse& response) { return response.mutable_operations(); });
}

absl::StatusOr<v1::GetConfigResponse> Client::GetConfig(const v1::GetConfigRequest& request) {
  return stubs_->CallAgain(stubs_->operations, &OperationStub::GetConfig, request);
}

absl::StatusOr<v1::DiffConfigResponse> Client::DiffConfig(v1::DiffConfigRequest request) {
  request.set_error_bytes_max(kErrorBytesMax);
  return stubs_->Call(stubs_->operations, &OperationStub::DiffConfig, request);
}

bool HasEnded(v1::Operation::State state) {
  return state != v1::Operation::STATE_UNSPECIFIED && state != v1::Operation::STATE_WAITING &&
         state != v1::Operation::STATE_RUNNING;
}

absl::Status Client::WatchOnce(std::string_view name, absl::Duration slice, Stop* stop,
                               const std::function<void(const v1::Operation&)>& on_state) {
  grpc::ClientContext context;
  stubs_->Authorize(context);
  context.set_deadline(gpr_time_from_micros(absl::ToInt64Microseconds(slice), GPR_TIMESPAN));
  const Stop::Call stoppable(stop, [&context] { context.TryCancel(); });
  v1::WatchOperationRequest request;
  request.set_name(std::string(name));
  const auto stream = stubs_->operations.WatchOperation(&context, request);
  for (v1::Operation operation; stream->Read(&operation);) {
    stubs_->heard.store(true);
    on_state(operation);
  }
  const grpc::Status status = stream->Finish();
  if (!status.error_details().empty()) stubs_->heard.store(true);
  return FromGrpc(status);
}

absl::StatusOr<v1::Operation> Client::FollowOperation(
    std::string_view name, const WaitOptions& options,
    const std::function<void(const v1::Operation&)>& on_state) {
  Patience patience(options, stubs_->heard, *stubs_->channel);
  v1::Operation last;
  while (true) {
    bool answered = false;
    const absl::Status watched =
        WatchOnce(name, patience.Slice(), options.stop, [&](const v1::Operation& operation) {
          answered = true;
          patience.Answered();
          last = operation;
          if (on_state) on_state(operation);
        });
    if (HasEnded(last.state()) || (answered && patience.over())) return last;
    // A watch that was heard, and lasted as long as it was to.
    if (answered && absl::IsDeadlineExceeded(watched)) continue;
    absl::Status excused = patience.Excuse(
        watched.ok() ? absl::UnavailableError("the watch ended before the operation") : watched);
    if (!excused.ok()) return excused;
  }
}

}  // namespace grove::client
