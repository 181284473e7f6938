#include "server/control/admit.h"

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grove/v1/operation_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "gtest/gtest.h"
#include "server/control/control_fixture.h"
#include "server/control/fake_supervisor.h"

namespace grove::control {
namespace {

using config::v1::Token;
using grpc::StatusCode;

constexpr char kTenantSecret[] = "tenant-secret-0123456789";
constexpr char kBossSecret[] = "boss-secret-0123456789";

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status rpc;
  google::rpc::ErrorInfo info;
  if (rpc.ParseFromString(status.error_details())) {
    for (const auto& detail : rpc.details()) {
      if (detail.UnpackTo(&info)) return info.reason();
    }
  }
  return "";
}

// Calls that are under way when their token ends.
class AdmitTest : public ControlFixture {
 protected:
  AdmitTest() {
    config_.add_tenants()->set_name("acme");
    AddToken("theirs", Token::ROLE_WRITE, kTenantSecret, "acme");
    AddToken("boss", Token::ROLE_ADMIN, kBossSecret);
  }

  void Start() {
    StartWorker(0);
    StartControl();
    tasks_ = v1::TaskService::NewStub(channel_);
  }

  static void Identify(grpc::ClientContext& context, const std::string& secret) {
    context.AddMetadata("authorization", "Bearer " + secret);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }

  // The name of a task that runs until it is cancelled; empty: it was refused.
  std::string SpawnHanging(const std::string& secret) {
    grpc::ClientContext context;
    Identify(context, secret);
    v1::SpawnTaskRequest request;
    request.mutable_spec()->set_function("hang");
    request.mutable_spec()->set_durability(v1::DURABILITY_VOLATILE);
    v1::SpawnTaskResponse response;
    context.set_wait_for_ready(true);
    const grpc::Status status = tasks_->SpawnTask(&context, request, &response);
    return status.ok() ? response.task().name() : "";
  }

  std::future<grpc::Status> BeginWait(const std::string& secret, const std::string& name) {
    return std::async(std::launch::async, [this, secret, name] {
      grpc::ClientContext context;
      Identify(context, secret);
      v1::WaitTaskRequest request;
      request.set_name(name);
      v1::WaitTaskResponse response;
      return tasks_->WaitTask(&context, request, &response);
    });
  }

  std::unique_ptr<v1::TaskService::Stub> tasks_;
};

TEST_F(AdmitTest, ARevokedTokenEndsItsWaitsAndNoOthers) {
  Start();
  std::string name;
  while ((name = SpawnHanging(kTenantSecret)).empty()) {
  }
  EXPECT_THAT(name, testing::StartsWith("tenants/acme/queues/default/tasks/"));
  std::future<grpc::Status> theirs = BeginWait(kTenantSecret, name);
  std::future<grpc::Status> bosses = BeginWait(kBossSecret, name);
  AwaitMetric("grove_task_waiters 2");
  ASSERT_TRUE(control_->tokens().Revoke("tenants/acme/tokens/theirs"));
  const grpc::Status status = theirs.get();
  EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReasonOf(status), "TOKEN_REVOKED");
  AwaitMetric("grove_task_waiters 1");
  EXPECT_EQ(ReasonOf(BeginWait(kTenantSecret, name).get()), "TOKEN_UNKNOWN");
  grpc::ClientContext context;
  Identify(context, kBossSecret);
  v1::CancelTaskRequest cancel;
  cancel.set_name(name);
  v1::CancelTaskResponse cancelled;
  EXPECT_TRUE(tasks_->CancelTask(&context, cancel, &cancelled).ok());
  EXPECT_TRUE(bosses.get().ok());
}

TEST_F(AdmitTest, ARevokedTokenEndsItsStreams) {
  Start();
  const auto reflection = grpc::reflection::v1alpha::ServerReflection::NewStub(channel_);
  grpc::ClientContext context;
  Identify(context, kTenantSecret);
  auto stream = reflection->ServerReflectionInfo(&context);
  grpc::reflection::v1alpha::ServerReflectionRequest request;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  grpc::reflection::v1alpha::ServerReflectionResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(control_->tokens().Revoke("tenants/acme/tokens/theirs"));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(stream->Finish()), "TOKEN_REVOKED");
}

TEST_F(AdmitTest, ARevokedTokenEndsItsWatches) {
  supervisor_ = std::make_unique<FakeSupervisor>([](const auto&, auto&) { return false; });
  Start();
  supervisor_->Say(
      {OperationOf(7, v1::Operation::KIND_SCALE, v1::Operation::STATE_RUNNING, "1 of 2")});
  const auto operations = v1::OperationService::NewStub(channel_);
  grpc::ClientContext context;
  Identify(context, kBossSecret);
  v1::WatchOperationRequest request;
  request.set_name("operations/7");
  auto stream = operations->WatchOperation(&context, request);
  v1::Operation operation;
  ASSERT_TRUE(stream->Read(&operation));
  ASSERT_TRUE(control_->tokens().Revoke("operators/tokens/boss"));
  EXPECT_FALSE(stream->Read(&operation));
  EXPECT_EQ(ReasonOf(stream->Finish()), "TOKEN_REVOKED");
}

TEST_F(AdmitTest, ARefusedNameIsInTheAuditLog) {
  Start();
  testing::internal::CaptureStderr();
  grpc::ClientContext context;
  Identify(context, kTenantSecret);
  v1::CancelTaskRequest cancel;
  cancel.set_name("tenants/default/queues/default/tasks/x");
  v1::CancelTaskResponse cancelled;
  EXPECT_EQ(ReasonOf(tasks_->CancelTask(&context, cancel, &cancelled)), "TASK_NOT_FOUND");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("who=\"token theirs\""));
  EXPECT_THAT(log, testing::HasSubstr("resource=tenants/default/queues/default/tasks/x"));
  EXPECT_THAT(log, testing::HasSubstr("result=NOT_FOUND"));
}

}  // namespace
}  // namespace grove::control
