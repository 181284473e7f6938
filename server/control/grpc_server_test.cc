// What the gRPC port offers beside tasks: the backdoor's stream, health and channelz.
#include "server/control/grpc_server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grove/v1/backdoor_service.grpc.pb.h"
#include "server/control/control_fixture.h"
#include "server/control/raw_service.h"
#include "server/control/refused_tokens.h"

namespace grove::control {
namespace {

using grpc::StatusCode;
using v1::OpenSessionRequest;
using v1::OpenSessionResponse;

constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kReflection[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr char kOldReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
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
      // Control may have ended the session meanwhile.
      send(fd, "> ", 2, MSG_NOSIGNAL);
      char piece[256];
      for (ssize_t got; (got = read(fd, piece, sizeof(piece))) > 0;) {
        send(fd, piece, static_cast<size_t>(got), MSG_NOSIGNAL);
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

  grpc::Status CallEmpty(const std::string& method, const std::string& token) {
    return Call(method, "", token);
  }

  // Without generated code.
  grpc::Status Call(const std::string& method, const std::string& message,
                    const std::string& token) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    grpc::Slice slice(message);
    grpc::ByteBuffer request(&slice, 1), response;
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

  // Holds the hub's thread until what it returns is notified.
  std::shared_ptr<absl::Notification> HoldHub() {
    auto release = std::make_shared<absl::Notification>();
    absl::Notification held;
    hub_->Post([&held, release] {
      held.Notify();
      release->WaitForNotification();
    });
    held.WaitForNotification();
    return release;
  }

  int Dial() {
    const SocketAddress address = *SocketAddress::Parse(control_->grpc_address());
    const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, address.raw(), address.length), 0);
    return fd;
  }

  // Whether the server says anything before it closes the connection: gRPC says its settings.
  static bool IsGreeted(int fd) {
    char piece[64];
    const bool greeted = read(fd, piece, sizeof(piece)) > 0;
    close(fd);
    return greeted;
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
  EXPECT_EQ(CallEmpty(kTopChannels, "boss-secret-012345678").error_code(), StatusCode::CANCELLED);
  for (const char* reflection : {kReflection, kOldReflection}) {
    EXPECT_EQ(CallEmpty(reflection, "").error_code(), StatusCode::UNAUTHENTICATED);
    EXPECT_TRUE(CallEmpty(reflection, "boss-secret-0123456789").ok());
  }
  EXPECT_TRUE(CallEmpty(kTopChannels, "boss-secret-0123456789").ok());
}

TEST_F(GrpcServerTest, WithoutTokensEverythingIsOpen) {
  StartControl();
  EXPECT_TRUE(CallEmpty(kReflection, "").ok());
  EXPECT_TRUE(CallEmpty(kTopChannels, "").ok());
  EXPECT_EQ(CallEmpty("/grove.v1.TaskService/Nothing", "").error_code(), StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, EveryMethodSaysThatARequestIsMalformed) {
  StartControl();
  std::vector<std::string> methods = {kHealthCheck, "/grpc.health.v1.Health/List",
                                      "/grpc.health.v1.Health/Watch", kReflection, kOldReflection};
  for (const MethodRow& row : MethodTable()) {
    if (row.method.starts_with("/grove.")) methods.emplace_back(row.method);
  }
  EXPECT_GT(methods.size(), 20);
  for (const std::string& method : methods) {
    // A field that ends before its length, and a number that never ends.
    for (const char* bytes : {"\x0a\x7fx", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
      const grpc::Status status = Call(method, bytes, "");
      EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << method;
      EXPECT_EQ(ReasonOf(status), "REQUEST_MALFORMED") << method;
      EXPECT_THAT(status.error_message(), testing::HasSubstr("the request is no gr")) << method;
    }
  }
}

TEST_F(GrpcServerTest, ARevokedTokenEndsABackdoorSession) {
  AddToken("boss", config::v1::Token::ROLE_DEBUG, "boss-secret-0123456789");
  FakeBackdoor worker(directory_ + "/worker-1.backdoor");
  StartControl();
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer boss-secret-0123456789");
  auto stream = Open(context, "workers/1");
  Expect(*stream, "> ");
  ASSERT_TRUE(control_->tokens().Revoke("operators/tokens/boss"));
  OpenSessionResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(stream->Finish()), "TOKEN_REVOKED");
}

TEST_F(GrpcServerTest, AMalformedMessageEndsABackdoorSession) {
  FakeBackdoor worker(directory_ + "/worker-1.backdoor");
  StartControl();
  OpenSessionRequest first;
  first.set_worker("workers/1");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  auto stream = stub.PrepareCall(&context, "/grove.v1.BackdoorService/OpenSession", &queue);
  const auto await = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  ASSERT_TRUE(await());
  for (const std::string& message : {first.SerializeAsString(), std::string("\x0a\x7fx")}) {
    grpc::Slice slice(message);
    stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    ASSERT_TRUE(await());
  }
  // The status comes after all that the worker has said.
  grpc::ByteBuffer said;
  do {
    stream->Read(&said, nullptr);
  } while (await());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(await());
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "REQUEST_MALFORMED");
}

TEST_F(GrpcServerTest, ATooLargeMessageSaysWhatToDo) {
  StartControl();
  const grpc::Status status =
      Call("/grove.v1.TaskService/SpawnTask", std::string(kReceiveBytesMax + 1, 'x'), "");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "MESSAGE_TOO_LARGE");
  EXPECT_THAT(status.error_message(), testing::HasSubstr("divide it into several calls"));
}

TEST_F(GrpcServerTest, AWrongTokenIsAnsweredLateAndHoldsNobodyUp) {
  AddToken("boss", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  StartControl();
  constexpr int kWrong = 50;
  std::atomic<int> refused{0};
  std::vector<std::thread> wrong;
  wrong.reserve(kWrong);
  const absl::Time start = absl::Now();
  for (int i = 0; i < kWrong; ++i) {
    wrong.emplace_back([&] {
      const grpc::Status status = CallEmpty("/grove.v1.TaskService/ListTasks", "boss-secret-01234");
      EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
      EXPECT_EQ(ReasonOf(status), "TOKEN_UNKNOWN");
      EXPECT_GE(absl::Now() - start, kRefusalDelay - absl::Milliseconds(50));
      ++refused;
    });
  }
  // As often as it takes: some of these go between the others' questions and their answers.
  while (refused < kWrong) {
    EXPECT_TRUE(CallEmpty("/grove.v1.TaskService/ListTasks", "boss-secret-0123456789").ok());
  }
  for (std::thread& each : wrong) each.join();
}

TEST_F(GrpcServerTest, TheEndDoesNotWaitForDelayedAnswers) {
  AddToken("boss", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  StartControl();
  std::thread wrong([&] {
    EXPECT_EQ(CallEmpty(kTopChannels, "boss-secret-01234").error_code(), StatusCode::CANCELLED);
  });
  std::thread missing([&] { EXPECT_NE(CallEmpty(kReflection, "").error_code(), StatusCode::OK); });
  AwaitMetric("grove_control_refused_tokens_total 2");
  StopControl();
  wrong.join();
  missing.join();
}

TEST_F(GrpcServerTest, ConnectionsBeyondTheBoundAreClosedAndTheOthersGoOn) {
  config_.mutable_control()->set_connections_max(2);
  StartControl();
  EXPECT_TRUE(CallEmpty(kHealthCheck, "").ok());
  const int silent = Dial();
  EXPECT_FALSE(IsGreeted(Dial()));
  EXPECT_FALSE(IsGreeted(Dial()));
  EXPECT_TRUE(CallEmpty(kHealthCheck, "").ok());
  close(silent);
  // It comes in once control has seen that the silent one is gone.
  while (!IsGreeted(Dial())) {
  }
}

TEST_F(GrpcServerTest, AClientThatSaysNothingIsClosed) {
  config_.mutable_control()->set_handshake_timeout_ms(100);
  StartControl();
  const int silent = Dial();
  char piece[64];
  while (read(silent, piece, sizeof(piece)) > 0) {
  }
  close(silent);
}

TEST_F(GrpcServerTest, AnIdleConnectionIsClosedAndMadeAnewWhenNeeded) {
  config_.mutable_control()->set_idle_timeout_ms(100);
  StartControl();
  EXPECT_TRUE(CallEmpty(kHealthCheck, "").ok());
  EXPECT_TRUE(channel_->WaitForStateChange(
      GRPC_CHANNEL_READY, std::chrono::system_clock::now() + std::chrono::seconds(20)));
  EXPECT_TRUE(CallEmpty(kHealthCheck, "").ok());
}

TEST_F(GrpcServerTest, ServesAUnixPath) {
  config_.mutable_control()->set_listen("unix:" + directory_ + "/grpc");
  StartControl();
  EXPECT_EQ(control_->grpc_address(), "unix:" + directory_ + "/grpc");
  EXPECT_TRUE(CallEmpty(kHealthCheck, "").ok());
  EXPECT_TRUE(CallEmpty("/grove.v1.TaskService/ListTasks", "").ok());
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

class BusyTest : public GrpcServerTest {
 protected:
  BusyTest() { config_.mutable_control()->set_calls_waiting_max(2); }
};

TEST_F(BusyTest, CallsThatWouldWaitForTooLongAreToldSo) {
  StartControl();
  const auto release = HoldHub();
  constexpr int kCalls = 3;
  absl::BlockingCounter refused(kCalls - 1);
  std::vector<grpc::Status> statuses(kCalls);
  std::vector<std::thread> callers;
  callers.reserve(kCalls);
  for (grpc::Status& status : statuses) {
    callers.emplace_back([&] {
      status = CallEmpty("/grove.v1.WorkerService/ListWorkers", "");
      if (!status.ok()) refused.DecrementCount();
    });
  }
  // The hub does not run: one waits, and the others are answered.
  refused.Wait();
  release->Notify();
  for (std::thread& caller : callers) caller.join();
  int waited = 0;
  for (const grpc::Status& status : statuses) {
    if (status.ok()) {
      ++waited;
      continue;
    }
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(status.error_details(), testing::HasSubstr("CONTROL_BUSY"));
    EXPECT_THAT(status.error_details(), testing::HasSubstr("google.rpc.RetryInfo"));
  }
  EXPECT_EQ(waited, 1);
  AwaitMetric("grove_control_calls_refused_total 2");
  AwaitMetric("grove_control_calls_waiting 0");
}

}  // namespace
}  // namespace grove::control
