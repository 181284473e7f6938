// EchoServer: the Echo service on a port of loopback, on gRPC's threads.
#ifndef GROVE_CLIENT_RPC_ECHO_SERVER_H_
#define GROVE_CLIENT_RPC_ECHO_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grove/testing/v1/echo.grpc.pb.h"

namespace grove::client::rpc {

class EchoServer final : private testing::v1::Echo::Service {
 public:
  // `address`: where it listens; port 0: any that is free.
  explicit EchoServer(const std::string& address = "127.0.0.1:0");
  ~EchoServer() override;

  // Any thread.
  const std::string& address() const { return address_; }
  // Of calls that hang: how many have begun, and how many were told that their client is gone.
  int hanging() const { return hanging_; }
  int cancelled() const { return cancelled_; }
  // What the last call was given: the value of its metadata `key`, and whether it had a deadline.
  std::string last_authorization() const;
  bool last_had_deadline() const { return had_deadline_; }

 private:
  grpc::Status Say(grpc::ServerContext* context, const testing::v1::Message* request,
                   testing::v1::Message* response) override;
  grpc::Status Repeat(grpc::ServerContext* context, const testing::v1::Message* request,
                      grpc::ServerWriter<testing::v1::Message>* writer) override;
  grpc::Status Join(grpc::ServerContext* context, grpc::ServerReader<testing::v1::Message>* reader,
                    testing::v1::Message* response) override;
  grpc::Status Talk(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<testing::v1::Message, testing::v1::Message>* stream) override;
  void Hang(grpc::ServerContext& context);
  void Note(const grpc::ServerContext& context);

  std::string address_;
  std::atomic<int> hanging_{0};
  std::atomic<int> cancelled_{0};
  std::atomic<bool> had_deadline_{false};
  mutable absl::Mutex mutex_;
  std::string authorization_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace grove::client::rpc

#endif  // GROVE_CLIENT_RPC_ECHO_SERVER_H_
