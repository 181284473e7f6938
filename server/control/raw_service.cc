#include "server/control/raw_service.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

absl::Status NotA(const google::protobuf::Message& message) {
  return tasks::Refusal(
      absl::StatusCode::kInvalidArgument, "REQUEST_MALFORMED",
      absl::StrCat("the request is no ", message.GetTypeName(), " in protobuf's binary form"));
}

}  // namespace

absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message& message,
                          size_t bytes_max) {
  if (!bytes.Valid()) return NotA(message);
  if (bytes.Length() > bytes_max) {
    return tasks::Refusal(absl::StatusCode::kResourceExhausted, "MESSAGE_TOO_LARGE",
                          absl::StrCat("the request has ", bytes.Length(), " bytes of at most ",
                                       bytes_max, "; divide it into several calls"));
  }
  // The call owns the bytes, and nobody reads them after this.
  auto* taken = const_cast<grpc::ByteBuffer*>(&bytes);
  const grpc::Status parsed =
      grpc::GenericDeserialize<grpc::ProtoBufferReader, google::protobuf::Message>(taken, &message);
  return parsed.ok() ? absl::OkStatus() : NotA(message);
}

absl::Status SerializeMessage(const google::protobuf::Message& message, grpc::ByteBuffer& bytes) {
  // A stream's buffer still has the message before.
  bytes.Clear();
  bool own_buffer = false;
  const grpc::Status serialized =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::Message>(message, &bytes,
                                                                                 &own_buffer);
  if (serialized.ok()) return absl::OkStatus();
  return absl::InternalError("the answer cannot be serialised");
}

void RawService::AddUnary(std::string_view method, StartUnary start) {
  Add(method, grpc::internal::RpcMethod::NORMAL_RPC,
      new grpc::internal::CallbackUnaryHandler<Bytes, Bytes>(std::move(start)));
}

void RawService::AddServerStream(std::string_view method, StartServerStream start) {
  Add(method, grpc::internal::RpcMethod::SERVER_STREAMING,
      new grpc::internal::CallbackServerStreamingHandler<Bytes, Bytes>(std::move(start)));
}

void RawService::AddBidi(std::string_view method, StartBidi start) {
  Add(method, grpc::internal::RpcMethod::BIDI_STREAMING,
      new grpc::internal::CallbackBidiHandler<Bytes, Bytes>(std::move(start)));
}

// What generated services do in their constructors.
void RawService::Add(std::string_view method, grpc::internal::RpcMethod::RpcType type,
                     grpc::internal::MethodHandler* handler) {
  AddMethod(new grpc::internal::RpcServiceMethod(method.data(), type, nullptr));
  MarkMethodRawCallback(methods_++, handler);
}

}  // namespace grove::control
