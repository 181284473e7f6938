// Client: a service's methods, called from fibers as if they blocked.
//
//   rpc::Client<v1::TaskService> tasks(channel);
//   Timeout timeout(absl::Seconds(5));
//   absl::StatusOr<v1::Task> task = tasks.Call(&v1::TaskService::Stub::PrepareAsyncGetTask,
//   request);
//
// The method is named by the PrepareAsync… of its generated stub; how it streams, and its types,
// follow from that. An error is the server's, with its google.rpc details as payloads
// (client/status_details.h); kUnavailable, where no connection is had; kDeadlineExceeded and
// kCancelled of the fiber's own Timeout and Cancel(), which cancel the call at the server. Nothing
// is called twice by itself, but for what gRPC does by a service config. Hub thread only.
#ifndef GROVE_CLIENT_RPC_CLIENT_H_
#define GROVE_CLIENT_RPC_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "client/rpc/call.h"
#include "client/rpc/channel.h"
#include "client/rpc/stream.h"

namespace grove::client::rpc {

// `Service` is what protoc makes of one: it has NewStub() and Stub.
template <typename Service>
class Client {
 public:
  using Stub = typename Service::Stub;

  // `channel` must outlive it, and its streams.
  explicit Client(Channel& channel)
      : channel_(channel), stub_(Service::NewStub(channel.grpc_channel())) {}

  // One request, one answer. The fiber's Timeouts are the call's deadline. **Parks.**
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (
                                    Stub::*prepare)(grpc::ClientContext*, const Request&,
                                                    grpc::CompletionQueue*),
                                const Request& request, const CallOptions& options = {}) {
    CallScope scope(channel_, "call");
    if (absl::Status entered = scope.Enter(options, true); !entered.ok()) return entered;
    Response response;
    grpc::Status status;
    Operation answered;
    const auto call = (stub_.get()->*prepare)(&scope.context(), request, queue());
    call->StartCall();
    call->Finish(&response, &status, answered.Begin());
    if (absl::Status ended = scope.Finish(answered, status); !ended.ok()) return ended;
    return response;
  }

  // One request, many answers. No Timeout of the fiber's is a deadline of the stream: see
  // CallOptions::timeout. **Parks** until the request is on its way.
  template <typename Request, typename Response>
  absl::StatusOr<ReadStream<Response>> Open(
      std::unique_ptr<grpc::ClientAsyncReader<Response>> (Stub::*prepare)(grpc::ClientContext*,
                                                                          const Request&,
                                                                          grpc::CompletionQueue*),
      const Request& request, const CallOptions& options = {}) {
    return Start<ReadStream<Response>>(options, [&](grpc::ClientContext* context, Response*) {
      return (stub_.get()->*prepare)(context, request, queue());
    });
  }

  // Many requests, one answer. **Parks** until it is begun.
  template <typename Request, typename Response>
  absl::StatusOr<WriteStream<Request, Response>> Open(
      std::unique_ptr<grpc::ClientAsyncWriter<Request>> (Stub::*prepare)(grpc::ClientContext*,
                                                                         Response*,
                                                                         grpc::CompletionQueue*),
      const CallOptions& options = {}) {
    return Start<WriteStream<Request, Response>>(
        options, [&](grpc::ClientContext* context, Response* response) {
          return (stub_.get()->*prepare)(context, response, queue());
        });
  }

  // Many of both. **Parks** until it is begun.
  template <typename Request, typename Response>
  absl::StatusOr<BidiStream<Request, Response>> Open(
      std::unique_ptr<grpc::ClientAsyncReaderWriter<Request, Response>> (Stub::*prepare)(
          grpc::ClientContext*, grpc::CompletionQueue*),
      const CallOptions& options = {}) {
    return Start<BidiStream<Request, Response>>(options,
                                                [&](grpc::ClientContext* context, Response*) {
                                                  return (stub_.get()->*prepare)(context, queue());
                                                });
  }

 private:
  template <typename Stream, typename Prepare>
  absl::StatusOr<Stream> Start(const CallOptions& options, Prepare prepare) {
    auto stream = Stream::Owned::Start(channel_, options, prepare);
    if (!stream.ok()) return stream.status();
    return Stream(*std::move(stream));
  }
  grpc::CompletionQueue* queue() const { return channel_.completions().queue(); }

  Channel& channel_;
  const std::unique_ptr<Stub> stub_;
};

}  // namespace grove::client::rpc

#endif  // GROVE_CLIENT_RPC_CLIENT_H_
