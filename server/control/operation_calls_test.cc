#include "server/control/operation_calls.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"
#include "server/control/driver_fixture.h"
#include "server/control/rpc_status.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// The test is the supervisor.
class OperationCallsTest : public HubTest {
 protected:
  // Begins a reload; `body` runs once the supervisor has the request.
  absl::Status Reload(absl::AnyInvocable<void()> body) {
    auto call = std::make_shared<SeenCall>();
    Run([&] {
      internal::v1::OperationRequest request;
      request.mutable_reload();
      calls_.Begin(call, std::move(request), response_);
      Yield();
      body();
      EXPECT_TRUE(call->ended.Wait().ok());
    });
    return call->how;
  }
  void Reply(internal::v1::OperationReply reply) {
    reply.set_id(sent_.back().id());
    calls_.TakeReply(std::move(reply));
  }
  static internal::v1::OperationReply Begun(const std::string& name) {
    internal::v1::OperationReply reply;
    reply.mutable_operation()->set_name(name);
    reply.mutable_operation()->set_state(v1::Operation::STATE_RUNNING);
    return reply;
  }
  absl::Status Get(const std::string& name) {
    auto call = std::make_shared<SeenCall>();
    Run([&] {
      v1::GetOperationRequest request;
      request.set_name(name);
      calls_.Get(call, request, response_);
      EXPECT_TRUE(call->ended.Wait().ok());
    });
    return call->how;
  }

  std::vector<internal::v1::OperationRequest> sent_;
  absl::Status send_status_;
  OperationCalls calls_{[this](const internal::v1::OperationRequest& request) {
    if (send_status_.ok()) sent_.push_back(request);
    return send_status_;
  }};
  v1::Operation response_;
};

TEST_F(OperationCallsTest, TheReplyEndsTheCallAndIsKnownFromThenOn) {
  EXPECT_TRUE(Reload([&] {
                ASSERT_EQ(sent_.size(), 1u);
                EXPECT_TRUE(sent_[0].has_reload());
                EXPECT_EQ(sent_[0].requested_by(), "token ci");
                Reply(Begun("operations/7"));
              }).ok());
  EXPECT_EQ(response_.name(), "operations/7");
  EXPECT_TRUE(calls_.mirror().Find("operations/7").ok());
}

TEST_F(OperationCallsTest, ARefusalComesWithItsReason) {
  const absl::Status status = Reload([&] {
    internal::v1::OperationReply reply;
    *reply.mutable_error() = ToRpcStatus(
        tasks::Refusal(absl::StatusCode::kFailedPrecondition, "DAEMON_STOPS", "the daemon stops"));
    Reply(std::move(reply));
  });
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(tasks::RefusalReason(status), "DAEMON_STOPS");
}

TEST_F(OperationCallsTest, ASilentSupervisorIsGivenUpAfterAWhile) {
  const MonotonicNanos began = hub_->ReadClock();
  const absl::Status status = Reload([] {});
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(tasks::RefusalReason(status), "SUPERVISOR_SILENT");
  EXPECT_TRUE(absl::StrContains(status.message(), "10s")) << status;
  EXPECT_EQ(absl::Nanoseconds(hub_->ReadClock() - began), kSupervisorPatience);
  // What it says later belongs to nobody.
  Reply(Begun("operations/7"));
  EXPECT_EQ(response_.name(), "");
}

TEST_F(OperationCallsTest, TheEndOfTheChannelEndsCallsAtOnceAndAllThatFollow) {
  const MonotonicNanos began = hub_->ReadClock();
  EXPECT_EQ(tasks::RefusalReason(Reload([&] { calls_.ChannelEnded(); })), "SUPERVISOR_GONE");
  EXPECT_EQ(tasks::RefusalReason(Reload([] {})), "SUPERVISOR_GONE");
  EXPECT_EQ(tasks::RefusalReason(Get("operations/1")), "SUPERVISOR_GONE");
  EXPECT_EQ(hub_->ReadClock(), began);
}

TEST_F(OperationCallsTest, WhatIsKnownIsShownAfterTheEndOfTheChannel) {
  calls_.TakeOperations(internal::v1::OperationsChanged());
  calls_.mirror().Take(Begun("operations/7").operation());
  calls_.ChannelEnded();
  EXPECT_TRUE(Get("operations/7").ok());
}

TEST_F(OperationCallsTest, ARequestThatCannotBeSentFailsWithTheReason) {
  send_status_ = absl::InvalidArgumentError("a message of 2 MiB");
  EXPECT_EQ(Reload([] {}), send_status_);
  send_status_ = absl::UnavailableError("gone");
  EXPECT_EQ(tasks::RefusalReason(Reload([] {})), "SUPERVISOR_GONE");
}

TEST_F(OperationCallsTest, ReadsWaitUntilTheSupervisorHasSaidWhatThereIs) {
  auto call = std::make_shared<SeenCall>();
  Run([&] {
    v1::ListOperationsResponse response;
    calls_.List(call, v1::ListOperationsRequest(), response);
    Yield();
    EXPECT_FALSE(call->finished());
    calls_.TakeOperations(internal::v1::OperationsChanged());
    EXPECT_TRUE(call->ended.Wait().ok());
  });
  EXPECT_TRUE(call->how.ok());
}

TEST_F(OperationCallsTest, ReadsAreGivenUpWhereTheSupervisorNeverSpeaks) {
  EXPECT_EQ(tasks::RefusalReason(Get("operations/1")), "SUPERVISOR_SILENT");
}

TEST_F(OperationCallsTest, AnAnswerToSomethingElseIsAnError) {
  const absl::Status status = Reload([&] {
    internal::v1::OperationReply reply;
    reply.mutable_config();
    Reply(std::move(reply));
  });
  EXPECT_EQ(tasks::RefusalReason(status), "SUPERVISOR_OF_ANOTHER_BUILD");
}

TEST_F(OperationCallsTest, AClientThatGoesAwayIsNotAnswered) {
  auto call = std::make_shared<SeenCall>();
  Run([&] {
    auto response = std::make_unique<v1::Operation>();
    internal::v1::OperationRequest request;
    request.mutable_reload();
    calls_.Begin(call, std::move(request), *response);
    Yield();
    call->Finish(absl::CancelledError("the client went away"));
    response.reset();
    Reply(Begun("operations/7"));
    Yield();
  });
  EXPECT_TRUE(absl::IsCancelled(call->how));
  EXPECT_TRUE(calls_.mirror().Find("operations/7").ok());
}

}  // namespace
}  // namespace grove::control
