#include "client/rpc/echo_server.h"

#include <chrono>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::rpc {
namespace {

grpc::Status Refuse(const testing::v1::Message& request) {
  google::rpc::Status status;
  status.set_code(request.code());
  status.set_message(request.text());
  google::rpc::ErrorInfo info;
  info.set_reason("ASKED_TO");
  info.set_domain("echo.test");
  status.add_details()->PackFrom(info);
  return {static_cast<grpc::StatusCode>(request.code()), request.text(),
          status.SerializeAsString()};
}

}  // namespace

EchoServer::EchoServer(const std::string& address) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  address_ = StrCat("127.0.0.1:", port);
}

EchoServer::~EchoServer() {
  server_->Shutdown(std::chrono::system_clock::now());
}

std::string EchoServer::last_authorization() const {
  const absl::MutexLock lock(&mutex_);
  return authorization_;
}

void EchoServer::Note(const grpc::ServerContext& context) {
  had_deadline_ = context.deadline() != std::chrono::system_clock::time_point::max();
  const auto found = context.client_metadata().find("authorization");
  const absl::MutexLock lock(&mutex_);
  authorization_ = found == context.client_metadata().end()
                       ? ""
                       : std::string(found->second.data(), found->second.size());
}

void EchoServer::Hang(grpc::ServerContext& context) {
  ++hanging_;
  while (!context.IsCancelled()) std::this_thread::yield();
  ++cancelled_;
}

grpc::Status EchoServer::Say(grpc::ServerContext* context, const testing::v1::Message* request,
                             testing::v1::Message* response) {
  Note(*context);
  if (request->hang()) Hang(*context);
  if (request->code() != 0) return Refuse(*request);
  *response = *request;
  return grpc::Status::OK;
}

grpc::Status EchoServer::Repeat(grpc::ServerContext* context, const testing::v1::Message* request,
                                grpc::ServerWriter<testing::v1::Message>* writer) {
  Note(*context);
  for (int i = 0; i < request->count(); ++i) {
    testing::v1::Message message;
    message.set_text(request->text());
    message.set_count(i);
    if (!writer->Write(message)) return grpc::Status::CANCELLED;
  }
  if (request->hang()) Hang(*context);
  return request->code() == 0 ? grpc::Status::OK : Refuse(*request);
}

grpc::Status EchoServer::Join(grpc::ServerContext* context,
                              grpc::ServerReader<testing::v1::Message>* reader,
                              testing::v1::Message* response) {
  Note(*context);
  testing::v1::Message message;
  while (reader->Read(&message)) {
    if (message.code() != 0) return Refuse(message);
    response->set_text(response->text() + message.text());
    response->set_count(response->count() + 1);
  }
  return grpc::Status::OK;
}

grpc::Status EchoServer::Talk(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<testing::v1::Message, testing::v1::Message>* stream) {
  Note(*context);
  testing::v1::Message message;
  while (stream->Read(&message)) {
    if (message.hang()) Hang(*context);
    if (message.code() != 0) return Refuse(message);
    if (message.count() < 0) return grpc::Status::OK;
    if (!stream->Write(message)) return grpc::Status::CANCELLED;
  }
  return grpc::Status::OK;
}

}  // namespace grove::client::rpc
