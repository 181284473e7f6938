#include "server/control/spawn_service.h"

#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "server/control/control_fixture.h"
#include "server/control/spawn_window.h"

namespace grove::control {
namespace {

using grpc::StatusCode;

class SpawnServiceTest : public ControlFixture {
 protected:
  using Wire = grpc::ClientReaderWriter<v1::SpawnTasksRequest, v1::SpawnTasksResponse>;

  void Start() {
    StartWorker(0);
    StartControl();
    ASSERT_FALSE(HasFatalFailure());
    tasks_ = v1::TaskService::NewStub(channel_);
    const auto inspect = v1::InspectService::NewStub(channel_);
    for (v1::ListFunctionsResponse functions; functions.functions_size() == 0;) {
      grpc::ClientContext context;
      Authorize(context);
      ASSERT_TRUE(inspect->ListFunctions(&context, {}, &functions).ok());
    }
  }
  void Authorize(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
  }
  std::unique_ptr<Wire> Open(grpc::ClientContext& context) {
    Authorize(context);
    return tasks_->SpawnTasks(&context);
  }
  static v1::SpawnTasksRequest Message(int64_t sequence, int specs, v1::Durability durability,
                                       const std::string& input = "{}") {
    v1::SpawnTasksRequest request;
    request.set_sequence(sequence);
    for (int i = 0; i < specs; ++i) {
      v1::TaskSpec& spec = *request.add_specs();
      spec.set_function("echo");
      spec.set_input(input);
      spec.set_durability(durability);
    }
    return request;
  }

  std::string token_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
};

TEST_F(SpawnServiceTest, AnswersEachMessageInOrderAndEndsWithTheClient) {
  Start();
  grpc::ClientContext context;
  const auto wire = Open(context);
  for (int i = 1; i <= 100; ++i) {
    ASSERT_TRUE(
        wire->Write(Message(i, 3, i % 2 == 0 ? v1::DURABILITY_DURABLE : v1::DURABILITY_VOLATILE)));
  }
  wire->WritesDone();
  v1::SpawnTasksResponse response;
  for (int i = 1; i <= 100; ++i) {
    ASSERT_TRUE(wire->Read(&response));
    EXPECT_EQ(response.sequence(), i);
    EXPECT_EQ(response.results_size(), 3);
    EXPECT_FALSE(response.results(2).name().empty());
  }
  EXPECT_FALSE(wire->Read(&response));
  EXPECT_TRUE(wire->Finish().ok());
}

TEST_F(SpawnServiceTest, MoreThanTheWindowHoldsIsTakenAsAnswersAreRead) {
  Start();
  grpc::ClientContext context;
  const auto wire = Open(context);
  constexpr int kMessages = 4 * static_cast<int>(kUnansweredMessagesMax);
  std::thread writer([&] {
    const std::string input = "\"" + std::string(128 << 10, 'x') + "\"";
    for (int i = 1; i <= kMessages; ++i) {
      if (!wire->Write(Message(i, 1, v1::DURABILITY_VOLATILE, input))) return;
    }
    wire->WritesDone();
  });
  v1::SpawnTasksResponse response;
  int answers = 0;
  while (wire->Read(&response)) EXPECT_EQ(response.sequence(), ++answers);
  writer.join();
  EXPECT_EQ(answers, kMessages);
  EXPECT_TRUE(wire->Finish().ok());
}

TEST_F(SpawnServiceTest, WhatIsNoMessageEndsIt) {
  Start();
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  Authorize(context);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, "/grove.v1.TaskService/SpawnTasks", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::Slice slice("\xff\xff\xff");
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  grpc::Status status;
  call->Finish(&status, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "REQUEST_MALFORMED");
}

TEST_F(SpawnServiceTest, ADrainEndsItAsUnavailable) {
  Start();
  grpc::ClientContext context;
  const auto wire = Open(context);
  ASSERT_TRUE(wire->Write(Message(1, 2, v1::DURABILITY_DURABLE)));
  v1::SpawnTasksResponse response;
  ASSERT_TRUE(wire->Read(&response));
  BeginStop();
  while (wire->Read(&response)) {
  }
  const grpc::Status status = wire->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "DRAINING");
}

TEST_F(SpawnServiceTest, AClientThatGoesAwayLeavesNothingBehind) {
  Start();
  for (int i = 0; i < kTenantSpawnStreamsMax + 10; ++i) {
    grpc::ClientContext context;
    const auto wire = Open(context);
    ASSERT_TRUE(wire->Write(Message(1, 1, v1::DURABILITY_DURABLE)));
    context.TryCancel();
    EXPECT_EQ(wire->Finish().error_code(), StatusCode::CANCELLED);
  }
  grpc::ClientContext context;
  const auto wire = Open(context);
  wire->WritesDone();
  EXPECT_TRUE(wire->Finish().ok());
}

TEST_F(SpawnServiceTest, ATokenWithoutTheRoleOpensNone) {
  AddToken("boss", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  AddToken("eye", config::v1::Token::ROLE_READ, "read-secret-0123456789");
  StartControl();
  tasks_ = v1::TaskService::NewStub(channel_);
  token_ = "read-secret-0123456789";
  grpc::ClientContext context;
  EXPECT_EQ(Open(context)->Finish().error_code(), StatusCode::PERMISSION_DENIED);
  token_ = "no-such-secret";
  grpc::ClientContext other;
  EXPECT_EQ(Open(other)->Finish().error_code(), StatusCode::UNAUTHENTICATED);
}

TEST_F(SpawnServiceTest, ARevokedTokenEndsIt) {
  AddToken("ci", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  token_ = "boss-secret-0123456789";
  Start();
  grpc::ClientContext context;
  const auto wire = Open(context);
  ASSERT_TRUE(wire->Write(Message(1, 1, v1::DURABILITY_VOLATILE)));
  v1::SpawnTasksResponse response;
  ASSERT_TRUE(wire->Read(&response));
  ASSERT_TRUE(control_->tokens().Revoke("operators/tokens/ci"));
  while (wire->Read(&response)) {
  }
  const grpc::Status status = wire->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReasonOf(status), "TOKEN_REVOKED");
}

TEST_F(SpawnServiceTest, EachMessageIsALineInTheAuditLog) {
  AddToken("ci", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  token_ = "boss-secret-0123456789";
  Start();
  testing::internal::CaptureStderr();
  grpc::ClientContext context;
  const auto wire = Open(context);
  ASSERT_TRUE(wire->Write(Message(1, 2, v1::DURABILITY_VOLATILE)));
  v1::SpawnTasksRequest elsewhere = Message(2, 1, v1::DURABILITY_VOLATILE);
  elsewhere.set_parent("tenants/nobody");
  ASSERT_TRUE(wire->Write(elsewhere));
  wire->WritesDone();
  for (v1::SpawnTasksResponse response; wire->Read(&response);) {
  }
  EXPECT_TRUE(wire->Finish().ok());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::StrContains(log,
                                "\"audit\" method=/grove.v1.TaskService/SpawnTasks "
                                "who=\"token ci\""))
      << log;
  EXPECT_TRUE(absl::StrContains(log,
                                "asked=\"2 tasks\" reason=\"\" result=OK "
                                "answer=\"accepted 2: tenants/default/queues/default/tasks/"))
      << log;
  EXPECT_TRUE(absl::StrContains(log, "resource=tenants/nobody asked=\"1 tasks\"")) << log;
}

}  // namespace
}  // namespace grove::control
