// FakeOperations: OperationService of the test's own process.
//
// What is begun runs until it is watched, and then ends as its kind says: a reload FAILED with two
// errors, an upgrade SUPERSEDED, a drain of the daemon with silence, the rest SUCCEEDED. A restart
// of workers/9 is refused. A file named "same" differs in nothing, one named "bad" is wrong.

#ifndef GROVE_CLIENT_FAKE_OPERATIONS_H_
#define GROVE_CLIENT_FAKE_OPERATIONS_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "grove/v1/operation_service.grpc.pb.h"

namespace grove::client {

class FakeOperations final : public v1::OperationService::Service {
 public:
  // The next watches end as if the connection had, before the operation does.
  void BreakWatches(int count);

  grpc::Status ScaleWorkers(grpc::ServerContext*, const v1::ScaleWorkersRequest* request,
                            v1::Operation* response) override;
  grpc::Status RestartWorkers(grpc::ServerContext*, const v1::RestartWorkersRequest* request,
                              v1::Operation* response) override;
  grpc::Status Drain(grpc::ServerContext*, const v1::DrainRequest* request,
                     v1::Operation* response) override;
  grpc::Status Reload(grpc::ServerContext*, const v1::ReloadRequest*,
                      v1::Operation* response) override;
  grpc::Status Upgrade(grpc::ServerContext*, const v1::UpgradeRequest* request,
                       v1::Operation* response) override;
  grpc::Status SetLogLevel(grpc::ServerContext*, const v1::SetLogLevelRequest* request,
                           v1::Operation* response) override;
  grpc::Status GetOperation(grpc::ServerContext*, const v1::GetOperationRequest* request,
                            v1::Operation* response) override;
  grpc::Status ListOperations(grpc::ServerContext*, const v1::ListOperationsRequest*,
                              v1::ListOperationsResponse* response) override;
  grpc::Status WatchOperation(grpc::ServerContext*, const v1::WatchOperationRequest* request,
                              grpc::ServerWriter<v1::Operation>* writer) override;
  grpc::Status GetConfig(grpc::ServerContext*, const v1::GetConfigRequest* request,
                         v1::GetConfigResponse* response) override;
  grpc::Status DiffConfig(grpc::ServerContext*, const v1::DiffConfigRequest* request,
                          v1::DiffConfigResponse* response) override;

 private:
  grpc::Status Begin(v1::Operation::Kind kind, const std::string& message, v1::Operation* response);

  std::mutex mutex_;
  std::map<std::string, v1::Operation> operations_;
  int breaks_ = 0;
  std::set<std::string> silent_;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_OPERATIONS_H_
