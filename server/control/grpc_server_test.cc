// What the gRPC port offers beside tasks: the backdoor's stream, health and channelz.
#include "server/control/grpc_server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "grove/v1/backdoor_service.grpc.pb.h"
#include "server/control/control_fixture.h"

namespace grove::control {
namespace {

using grpc::StatusCode;
using v1::OpenSessionRequest;
using v1::OpenSessionResponse;

constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
constexpr char kTopChannels[] = "/grpc.channelz.v1.Channelz/GetTopChannels";

// A worker's end of the backdoor: prints "> ", then whatever it reads, until its end.
class FakeBackdoor {
 public:
  explicit FakeBackdoor(const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX};
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeBackdoor() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

 private:
  void Serve() {
    for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) {
      EXPECT_EQ(write(fd, "> ", 2), 2);
      char piece[256];
      for (ssize_t got; (got = read(fd, piece, sizeof(piece))) > 0;) {
        EXPECT_EQ(write(fd, piece, static_cast<size_t>(got)), got);
      }
    }
  }

  int listener_;
  std::thread thread_;
};

class GrpcServerTest : public ControlFixture {
 protected:
  using Stream = grpc::ClientReaderWriter<OpenSessionRequest, OpenSessionResponse>;

  std::unique_ptr<Stream> Open(grpc::ClientContext& context, const std::string& worker) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    backdoor_ = v1::BackdoorService::NewStub(channel_);
    std::unique_ptr<Stream> stream = backdoor_->OpenSession(&context);
    OpenSessionRequest request;
    request.set_worker(worker);
    stream->Write(request);
    return stream;
  }

  // Reads until `text` has come.
  void Expect(Stream& stream, const std::string& text) {
    std::string got;
    OpenSessionResponse response;
    while (got.size() < text.size() && stream.Read(&response)) got += response.output();
    EXPECT_EQ(got, text);
  }

  // A call with an empty request, without generated code.
  grpc::Status CallEmpty(const std::string& method, const std::string& token) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    grpc::ByteBuffer request(nullptr, 0), response;
    grpc::Status status;
    absl::Notification done;
    stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                   [&](grpc::Status result) {
                     status = std::move(result);
                     done.Notify();
                   });
    done.WaitForNotification();
    return status;
  }

  std::unique_ptr<v1::BackdoorService::Stub> backdoor_;
};

TEST_F(GrpcServerTest, ABackdoorSessionCarriesBytesBothWaysUntilTheClientIsDone) {
  FakeBackdoor worker(directory_ + "/worker-1.backdoor");
  StartControl();
  grpc::ClientContext context;
  auto stream = Open(context, "workers/1");
  Expect(*stream, "> ");
  for (const char* line : {"hub()\n", "fibers()\n"}) {
    OpenSessionRequest request;
    request.set_input(line);
    ASSERT_TRUE(stream->Write(request));
    Expect(*stream, line);
  }
  stream->WritesDone();
  OpenSessionResponse rest;
  EXPECT_FALSE(stream->Read(&rest));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, ASessionThatIsCancelledLetsItsWorkerGo) {
  FakeBackdoor worker(directory_ + "/worker-0.backdoor");
  StartControl();
  grpc::ClientContext context;
  auto stream = Open(context, "workers/0");
  Expect(*stream, "> ");
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  // The fake takes one connection after the other: this one comes only when the first has ended.
  grpc::ClientContext next;
  auto again = Open(next, "workers/0");
  Expect(*again, "> ");
  again->WritesDone();
  EXPECT_TRUE(again->Finish().ok());
}

TEST_F(GrpcServerTest, ASessionNeedsAWorkerThatTakesIt) {
  StartControl();
  grpc::ClientContext dead, unknown, missing;
  grpc::Status status = Open(dead, "workers/0")->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "BACKDOOR_UNREACHABLE");
  EXPECT_EQ(Open(unknown, "workers/9")->Finish().error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Open(missing, "")->Finish().error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcServerTest, ASessionNeedsTheAdminRole) {
  AddToken("writer", config::v1::Token::ROLE_WRITE, "writer-secret-0123456789");
  StartControl();
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer writer-secret-0123456789");
  const grpc::Status status = Open(context, "workers/0")->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ReasonOf(status), "ROLE_INSUFFICIENT");
}

TEST_F(GrpcServerTest, ProbesNeedNoTokenAndGrpcsOwnServicesDo) {
  AddToken("boss", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  StartControl();
  EXPECT_TRUE(CallEmpty(kHealthCheck, "").ok());
  EXPECT_EQ(CallEmpty(kTopChannels, "").error_code(), StatusCode::CANCELLED);
  EXPECT_EQ(CallEmpty(kReflection, "").error_code(), StatusCode::CANCELLED);
  EXPECT_EQ(CallEmpty(kReflection, "boss-secret-012345678").error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(CallEmpty(kReflection, "boss-secret-0123456789").ok());
  EXPECT_TRUE(CallEmpty(kTopChannels, "boss-secret-0123456789").ok());
}

TEST_F(GrpcServerTest, WithoutTokensEverythingIsOpen) {
  StartControl();
  EXPECT_TRUE(CallEmpty(kReflection, "").ok());
  EXPECT_TRUE(CallEmpty(kTopChannels, "").ok());
  EXPECT_EQ(CallEmpty("/grove.v1.TaskService/Nothing", "").error_code(), StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, SpeaksTlsWithTheConfiguredCertificate) {
  const std::string key = directory_ + "/key.pem", certificate = directory_ + "/cert.pem";
  const std::string command = absl::StrCat(
      "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost -keyout ",
      key, " -out ", certificate, " 2>/dev/null");
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "no openssl here";
  config_.mutable_control()->mutable_tls()->set_certificate_file(certificate);
  config_.mutable_control()->mutable_tls()->set_key_file(key);
  StartControl();
  grpc::SslCredentialsOptions options;
  std::ifstream file(certificate);
  options.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  channel_ =
      grpc::CreateCustomChannel(control_->grpc_address(), grpc::SslCredentials(options), arguments);
  EXPECT_TRUE(CallEmpty(kHealthCheck, "").ok());
  channel_ = grpc::CreateChannel(control_->grpc_address(), grpc::InsecureChannelCredentials());
  EXPECT_EQ(CallEmpty(kHealthCheck, "").error_code(), StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace grove::control
