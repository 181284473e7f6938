#include "server/control/operation_service.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "grove/v1/operation_service.grpc.pb.h"
#include "gtest/gtest.h"
#include "server/control/control_fixture.h"

namespace grove::control {
namespace {

using grpc::StatusCode;
using v1::Operation;

// Control whose supervisor begins whatever it is asked for as operations/7.
class OperationServiceTest : public ControlFixture {
 protected:
  OperationServiceTest() {
    supervisor_ = std::make_unique<FakeSupervisor>(
        [this](const internal::v1::OperationRequest& request, internal::v1::OperationReply& reply) {
          return Answer(request, reply);
        });
  }

  void Start() {
    StartControl();
    ASSERT_FALSE(HasFatalFailure());
    stub_ = v1::OperationService::NewStub(channel_);
    supervisor_->Say({});
  }

  virtual bool Answer(const internal::v1::OperationRequest& request,
                      internal::v1::OperationReply& reply) {
    if (request.has_get_config()) {
      reply.mutable_config()->set_yaml("workers: 2\n");
    } else if (request.has_diff_config()) {
      reply.mutable_diff()->add_changes()->set_key("workers");
    } else if (request.has_restart()) {
      reply.mutable_error()->set_code(static_cast<int>(StatusCode::NOT_FOUND));
      reply.mutable_error()->set_message("no workers/9; the last one is workers/1");
    } else {
      *reply.mutable_operation() =
          OperationOf(7, Operation::KIND_SCALE, Operation::STATE_RUNNING, "1 of 2");
      reply.mutable_operation()->set_requested_by(request.requested_by());
    }
    return true;
  }

  template <typename Request, typename Response>
  grpc::Status Try(grpc::Status (v1::OperationService::Stub::*method)(grpc::ClientContext*,
                                                                      const Request&, Response*),
                   const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
    return (stub_.get()->*method)(&context, request, &response);
  }
  grpc::Status Scale(int workers, Operation& operation) {
    v1::ScaleWorkersRequest request;
    request.set_workers(workers);
    return Try(&v1::OperationService::Stub::ScaleWorkers, request, operation);
  }

  std::unique_ptr<grpc::ClientReader<Operation>> Watch(grpc::ClientContext& context,
                                                       const std::string& name) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::WatchOperationRequest request;
    request.set_name(name);
    return stub_->WatchOperation(&context, request);
  }

  std::unique_ptr<v1::OperationService::Stub> stub_;
  std::string token_;
};

TEST_F(OperationServiceTest, WhatIsAskedForGoesToTheSupervisorAndItsOperationComesBack) {
  Start();
  Operation operation;
  const grpc::Status status = Scale(8, operation);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(operation.name(), "operations/7");
  EXPECT_EQ(operation.requested_by(), "local");
  ASSERT_EQ(supervisor_->requests().size(), 1u);
  EXPECT_EQ(supervisor_->requests()[0].scale().workers(), 8);
}

TEST_F(OperationServiceTest, TheSupervisorsRefusalIsTheAnswer) {
  Start();
  v1::RestartWorkersRequest request;
  request.add_names("workers/9");
  Operation operation;
  const grpc::Status status = Try(&v1::OperationService::Stub::RestartWorkers, request, operation);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no workers/9; the last one is workers/1");
}

TEST_F(OperationServiceTest, TheConfigAndADifferenceComeFromTheSupervisor) {
  Start();
  v1::GetConfigResponse config;
  ASSERT_TRUE(Try(&v1::OperationService::Stub::GetConfig, v1::GetConfigRequest(), config).ok());
  EXPECT_EQ(config.yaml(), "workers: 2\n");
  v1::DiffConfigResponse diff;
  ASSERT_TRUE(Try(&v1::OperationService::Stub::DiffConfig, v1::DiffConfigRequest(), diff).ok());
  EXPECT_EQ(diff.changes(0).key(), "workers");
}

TEST_F(OperationServiceTest, OperationsAreGotAndListed) {
  Start();
  supervisor_->Say({OperationOf(1, Operation::KIND_RELOAD, Operation::STATE_FAILED, "old in force"),
                    OperationOf(2, Operation::KIND_SCALE, Operation::STATE_RUNNING, "")});
  v1::ListOperationsResponse listed;
  while (listed.operations_size() < 2) {
    ASSERT_TRUE(
        Try(&v1::OperationService::Stub::ListOperations, v1::ListOperationsRequest(), listed).ok());
  }
  EXPECT_EQ(listed.operations(0).name(), "operations/2");
  v1::GetOperationRequest request;
  request.set_name("operations/1");
  Operation operation;
  ASSERT_TRUE(Try(&v1::OperationService::Stub::GetOperation, request, operation).ok());
  EXPECT_EQ(operation.message(), "old in force");
  request.set_name("operations/3");
  EXPECT_EQ(Try(&v1::OperationService::Stub::GetOperation, request, operation).error_code(),
            StatusCode::NOT_FOUND);
}

TEST_F(OperationServiceTest, AWatchSaysTheStateAtOnceThenEachChangeAndEndsWithIt) {
  Start();
  Operation operation;
  ASSERT_TRUE(Scale(8, operation).ok());
  grpc::ClientContext context;
  const auto stream = Watch(context, operation.name());
  ASSERT_TRUE(stream->Read(&operation));
  EXPECT_EQ(operation.message(), "1 of 2");
  supervisor_->Say({OperationOf(7, Operation::KIND_SCALE, Operation::STATE_RUNNING, "2 of 2")});
  ASSERT_TRUE(stream->Read(&operation));
  EXPECT_EQ(operation.message(), "2 of 2");
  supervisor_->Say({OperationOf(7, Operation::KIND_SCALE, Operation::STATE_SUCCEEDED, "done")});
  ASSERT_TRUE(stream->Read(&operation));
  EXPECT_EQ(operation.state(), Operation::STATE_SUCCEEDED);
  EXPECT_FALSE(stream->Read(&operation));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(OperationServiceTest, AWatchOfOneThatHasEndedSaysSoAndEnds) {
  Start();
  supervisor_->Say({OperationOf(3, Operation::KIND_RELOAD, Operation::STATE_FAILED, "no")});
  grpc::ClientContext context;
  const auto stream = Watch(context, "operations/3");
  Operation operation;
  ASSERT_TRUE(stream->Read(&operation));
  EXPECT_EQ(operation.state(), Operation::STATE_FAILED);
  EXPECT_FALSE(stream->Read(&operation));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(OperationServiceTest, AWatchOfNoneEndsWithNotFound) {
  Start();
  grpc::ClientContext context;
  EXPECT_EQ(Watch(context, "operations/9")->Finish().error_code(), StatusCode::NOT_FOUND);
  grpc::ClientContext other;
  EXPECT_EQ(Watch(other, "reload")->Finish().error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(OperationServiceTest, TheEndOfControlEndsWatches) {
  Start();
  Operation operation;
  ASSERT_TRUE(Scale(8, operation).ok());
  grpc::ClientContext context;
  const auto stream = Watch(context, operation.name());
  ASSERT_TRUE(stream->Read(&operation));
  BeginStop();
  EXPECT_FALSE(stream->Read(&operation));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "CONTROL_ENDS");
}

TEST_F(OperationServiceTest, AWatcherThatGoesAwayLeavesNothingBehind) {
  Start();
  Operation operation;
  ASSERT_TRUE(Scale(8, operation).ok());
  {
    grpc::ClientContext context;
    const auto stream = Watch(context, operation.name());
    ASSERT_TRUE(stream->Read(&operation));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  }
  supervisor_->Say({OperationOf(7, Operation::KIND_SCALE, Operation::STATE_SUCCEEDED, "done")});
  ASSERT_TRUE(Scale(8, operation).ok());
}

TEST_F(OperationServiceTest, WithoutASupervisorOperationsAreUnavailableAndTheRestGoesOn) {
  Start();
  supervisor_.reset();
  grpc::Status status;
  Operation operation;
  while ((status = Scale(8, operation)).ok()) {
  }
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "SUPERVISOR_GONE");
}

TEST_F(OperationServiceTest, WhatChangesTheDaemonNeedsTheOperatorRole) {
  AddToken("boss", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  AddToken("ci", config::v1::Token::ROLE_WRITE, "write-secret-0123456789");
  AddToken("eye", config::v1::Token::ROLE_READ, "read-secret-0123456789");
  Start();
  Operation operation;
  v1::DiffConfigResponse diff;
  token_ = "write-secret-0123456789";
  EXPECT_EQ(Scale(8, operation).error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(
      Try(&v1::OperationService::Stub::DiffConfig, v1::DiffConfigRequest(), diff).error_code(),
      StatusCode::PERMISSION_DENIED);
  token_ = "boss-secret-0123456789";
  ASSERT_TRUE(Scale(8, operation).ok());
  EXPECT_EQ(operation.requested_by(), "token boss");
  token_ = "read-secret-0123456789";
  v1::ListOperationsResponse listed;
  EXPECT_TRUE(
      Try(&v1::OperationService::Stub::ListOperations, v1::ListOperationsRequest(), listed).ok());
  v1::GetConfigResponse config;
  EXPECT_TRUE(Try(&v1::OperationService::Stub::GetConfig, v1::GetConfigRequest(), config).ok());
}

TEST_F(OperationServiceTest, EachIsALineInTheAuditLog) {
  AddToken("boss", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  Start();
  token_ = "boss-secret-0123456789";
  testing::internal::CaptureStderr();
  Operation operation;
  EXPECT_TRUE(Scale(8, operation).ok());
  v1::RestartWorkersRequest request;
  request.add_names("workers/9");
  EXPECT_FALSE(Try(&v1::OperationService::Stub::RestartWorkers, request, operation).ok());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::StrContains(log,
                                "\"audit\" method=/grove.v1.OperationService/ScaleWorkers "
                                "who=\"token boss\" peer=ipv4:127.0.0.1:"))
      << log;
  EXPECT_TRUE(absl::StrContains(
      log,
      "tenant=\"\" resource=\"\" asked=\"workers: 8\" reason=\"\" result=OK answer=operations/7"))
      << log;
  EXPECT_TRUE(absl::StrContains(log,
                                "asked=\"names: \\\"workers/9\\\"\" reason=\"\" result=NOT_FOUND "
                                "answer=\"no workers/9; the last one is workers/1\""))
      << log;
}

}  // namespace
}  // namespace grove::control
