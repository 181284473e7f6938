#include "client/fake_operations.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/fake_error.h"

namespace grove::client {
namespace {

using v1::Operation;

constexpr char kDrained[] = "draining the daemon";

grpc::Status Refuse(grpc::StatusCode code, const std::string& message, const std::string& reason) {
  return grpc::Status(code, message, FakeError(code, message, reason).SerializeAsString());
}

void End(Operation& operation) {
  operation.set_steps_done(operation.steps());
  operation.mutable_end_time()->set_seconds(operation.start_time().seconds() + 3);
  switch (operation.kind()) {
    case Operation::KIND_RELOAD:
      operation.set_state(Operation::STATE_FAILED);
      operation.set_message("the config before stays in force");
      operation.mutable_error()->set_code(grpc::INVALID_ARGUMENT);
      operation.mutable_error()->set_message(
          "grove.yaml:3: workers: 0 is below 1\ngrove.yaml:9: http.listen: no address");
      return;
    case Operation::KIND_UPGRADE:
      operation.set_state(Operation::STATE_SUPERSEDED);
      operation.set_message("operations/9 took its place");
      return;
    default:
      operation.set_state(Operation::STATE_SUCCEEDED);
  }
}

}  // namespace

void FakeOperations::BreakWatches(int count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  breaks_ = count;
}

grpc::Status FakeOperations::Begin(Operation::Kind kind, const std::string& message,
                                   Operation* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  response->set_name(absl::StrCat("operations/", operations_.size() + 1));
  response->set_kind(kind);
  response->set_state(Operation::STATE_RUNNING);
  response->set_message(message);
  response->set_steps_done(1);
  response->set_steps(2);
  response->mutable_start_time()->set_seconds(1'700'000'000);
  response->set_requested_by("local");
  operations_[response->name()] = *response;
  return grpc::Status::OK;
}

grpc::Status FakeOperations::ScaleWorkers(grpc::ServerContext*,
                                          const v1::ScaleWorkersRequest* request,
                                          Operation* response) {
  const int workers = request->workers() != 0 ? request->workers() : 2 + request->change();
  return Begin(Operation::KIND_SCALE, absl::StrCat("from 2 to ", workers, " workers"), response);
}

grpc::Status FakeOperations::RestartWorkers(grpc::ServerContext*,
                                            const v1::RestartWorkersRequest* request,
                                            Operation* response) {
  std::string what = request->control() ? "grove-control" : "all 2";
  for (const std::string& name : request->names()) {
    if (name == "workers/9") {
      return Refuse(grpc::NOT_FOUND, "no workers/9; the last one is workers/1", "WORKER_NOT_FOUND");
    }
    what = name;
  }
  return Begin(Operation::KIND_RESTART, "replaced " + what, response);
}

grpc::Status FakeOperations::Drain(grpc::ServerContext*, const v1::DrainRequest* request,
                                   Operation* response) {
  const bool daemon = request->scope() == v1::DrainRequest::SCOPE_DAEMON;
  return Begin(Operation::KIND_DRAIN, daemon ? kDrained : "all are replaced", response);
}

grpc::Status FakeOperations::Reload(grpc::ServerContext*, const v1::ReloadRequest*,
                                    Operation* response) {
  return Begin(Operation::KIND_RELOAD, "reading the config", response);
}

grpc::Status FakeOperations::Upgrade(grpc::ServerContext*, const v1::UpgradeRequest* request,
                                     Operation* response) {
  return Begin(Operation::KIND_UPGRADE, "to " + request->program(), response);
}

grpc::Status FakeOperations::SetLogLevel(grpc::ServerContext*,
                                         const v1::SetLogLevelRequest* request,
                                         Operation* response) {
  const std::string level = request->level().empty() ? "info" : request->level();
  return Begin(Operation::KIND_SET_LOG_LEVEL, "log level " + level, response);
}

grpc::Status FakeOperations::GetOperation(grpc::ServerContext*,
                                          const v1::GetOperationRequest* request,
                                          Operation* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = operations_.find(request->name());
  if (found == operations_.end()) {
    return Refuse(grpc::NOT_FOUND, "no " + request->name(), "OPERATION_NOT_FOUND");
  }
  *response = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeOperations::ListOperations(grpc::ServerContext*, const v1::ListOperationsRequest*,
                                            v1::ListOperationsResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto at = operations_.rbegin(); at != operations_.rend(); ++at) {
    *response->add_operations() = at->second;
  }
  return grpc::Status::OK;
}

grpc::Status FakeOperations::WatchOperation(grpc::ServerContext*,
                                            const v1::WatchOperationRequest* request,
                                            grpc::ServerWriter<Operation>* writer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = operations_.find(request->name());
  if (found == operations_.end()) {
    return Refuse(grpc::NOT_FOUND, "no " + request->name(), "OPERATION_NOT_FOUND");
  }
  if (silent_.contains(request->name())) return grpc::Status(grpc::UNAVAILABLE, "Socket closed");
  writer->Write(found->second);
  if (found->second.message() == kDrained) silent_.insert(request->name());
  if (silent_.contains(request->name()) || breaks_-- > 0) {
    return grpc::Status(grpc::UNAVAILABLE, "Socket closed");
  }
  End(found->second);
  writer->Write(found->second);
  return grpc::Status::OK;
}

grpc::Status FakeOperations::GetConfig(grpc::ServerContext*, const v1::GetConfigRequest* request,
                                       v1::GetConfigResponse* response) {
  response->set_yaml(request->defaults() ? "workers: 2\ndrain_timeout_ms: 30000\n"
                                         : "workers: 2\n");
  response->set_generation(3);
  return grpc::Status::OK;
}

grpc::Status FakeOperations::DiffConfig(grpc::ServerContext*, const v1::DiffConfigRequest* request,
                                        v1::DiffConfigResponse* response) {
  if (absl::EndsWith(request->file(), "/same")) return grpc::Status::OK;
  if (absl::EndsWith(request->file(), "/bad")) {
    return Refuse(grpc::INVALID_ARGUMENT, "bad:1: workers: 0 is below 1\nbad:2: unknown key \"x\"",
                  "CONFIG_INVALID");
  }
  v1::ConfigChange& size = *response->add_changes();
  size.set_key("tenants[acme].pools[mail].size");
  size.set_old_value("10");
  size.set_new_value("20");
  size.set_effect(v1::ConfigChange::EFFECT_IN_PLACE);
  v1::ConfigChange& stacks = *response->add_changes();
  stacks.set_key("runtime.stack_bytes");
  stacks.set_new_value("131072");
  stacks.set_effect(v1::ConfigChange::EFFECT_REPLACES_WORKERS);
  return grpc::Status::OK;
}

}  // namespace grove::client
