// RawService: gRPC methods whose messages this side parses and serialises.
//
// The services that gRPC generates parse a request before anybody sees it, and answer UNIMPLEMENTED
// without a text where that fails. Here each method gets the bytes, and says what is wrong with
// them. One RawService holds the methods of any number of services.
// Filled before the server starts; constant then.
#ifndef GROVE_SERVER_CONTROL_RAW_SERVICE_H_
#define GROVE_SERVER_CONTROL_RAW_SERVICE_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <functional>
#include <string_view>

#include "absl/status/status.h"

namespace grove::control {

// A batch of tasks with large inputs.
inline constexpr size_t kReceiveBytesMax = 64 << 20;
// gRPC itself cuts calls off above this, with a text of its own; up to here they get ours.
inline constexpr size_t kReceiveBytesCut = 80 << 20;

// Takes the bytes' memory back on the way. INVALID_ARGUMENT: they are no such message;
// RESOURCE_EXHAUSTED: more than `bytes_max`. A gRPC thread's work: a large message takes a while.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message& message,
                          size_t bytes_max = kReceiveBytesMax);
// INTERNAL: beyond protobuf's 2 GiB.
absl::Status SerializeMessage(const google::protobuf::Message& message, grpc::ByteBuffer& bytes);

class RawService final : public grpc::Service {
 public:
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  using StartUnary =
      std::function<grpc::ServerUnaryReactor*(Context*, const Bytes* request, Bytes* response)>;
  using StartServerStream =
      std::function<grpc::ServerWriteReactor<Bytes>*(Context*, const Bytes* request)>;
  using StartBidi = std::function<grpc::ServerBidiReactor<Bytes, Bytes>*(Context*)>;

  // `method`: "/package.Service/Method", a literal.
  void AddUnary(std::string_view method, StartUnary start);
  void AddServerStream(std::string_view method, StartServerStream start);
  void AddBidi(std::string_view method, StartBidi start);

 private:
  void Add(std::string_view method, grpc::internal::RpcMethod::RpcType type,
           grpc::internal::MethodHandler* handler);

  int methods_ = 0;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_RAW_SERVICE_H_
