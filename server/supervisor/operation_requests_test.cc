#include "server/supervisor/operation_requests.h"

#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::supervisor {
namespace {

using internal::v1::OperationRequest;

std::string Refused(const OperationRequest& request) {
  const absl::Status why = SpecOf(request).status();
  return StrCat(RefusalReason(why), ": ", Std(why.message()));
}

TEST(SpecOf, EachRequestIsAnOperation) {
  OperationRequest request;
  request.set_requested_by("token ci");
  request.mutable_scale()->set_change(-1);
  EXPECT_EQ(SpecOf(request)->kind, OperationKind::kScale);
  EXPECT_EQ(SpecOf(request)->change, -1);
  EXPECT_EQ(SpecOf(request)->requested_by, "token ci");
  request.mutable_restart()->add_names("workers/3");
  EXPECT_EQ(SpecOf(request)->kind, OperationKind::kRestart);
  EXPECT_EQ(SpecOf(request)->slots, std::vector<int>{3});
  request.mutable_drain()->set_scope(v1::DrainRequest::SCOPE_OLD_GENERATION);
  EXPECT_EQ(SpecOf(request)->kind, OperationKind::kDrain);
  EXPECT_TRUE(SpecOf(request)->old_generation);
  request.mutable_reload();
  EXPECT_EQ(SpecOf(request)->kind, OperationKind::kReload);
  request.mutable_upgrade()->set_program("/bin/next");
  EXPECT_EQ(SpecOf(request)->program, "/bin/next");
  request.mutable_set_log_level()->set_level("debug");
  EXPECT_EQ(SpecOf(request)->level, "debug");
}

TEST(SpecOf, WhatMakesNoSenseIsRefused) {
  OperationRequest request;
  EXPECT_TRUE(absl::IsUnimplemented(SpecOf(request).status()));
  EXPECT_EQ(RefusalReason(SpecOf(request).status()), "OPERATION_UNKNOWN");
  request.mutable_scale();
  EXPECT_EQ(Refused(request),
            "WORKERS_REQUIRED: one of workers, how many there shall be, and change, how many more "
            "or fewer, is "
            "needed");
  request.mutable_scale()->set_workers(-1);
  EXPECT_EQ(Refused(request), "WORKERS_OUT_OF_RANGE: workers: at least 1");
  request.mutable_restart()->add_names("3");
  EXPECT_EQ(Refused(request),
            "WORKER_NAME_INVALID: names: '3' is no worker's name; one is like workers/3");
  request.mutable_restart()->set_control(true);
  EXPECT_EQ(Refused(request), "CONTROL_ALONE: names: control is restarted alone: without names");
  request.mutable_drain();
  EXPECT_EQ(Refused(request),
            "SCOPE_REQUIRED: scope: SCOPE_DAEMON or SCOPE_OLD_GENERATION is needed");
}

TEST(DescribeOperation, TellsAllOfIt) {
  Operation operation{.number = 12,
                      .spec = {.kind = OperationKind::kReload, .requested_by = "local"},
                      .state = OperationState::kFailed,
                      .message = "nothing was changed",
                      .steps_done = 1,
                      .steps = 4,
                      .begun = 5'000'000'000,
                      .ended = 6'000'000'000,
                      .error = absl::InvalidArgumentError("workers: too many")};
  const v1::Operation described = DescribeOperation(operation, 7'000'000'000, 100'000'000);
  EXPECT_EQ(described.name(), "operations/12");
  EXPECT_EQ(described.kind(), v1::Operation::KIND_RELOAD);
  EXPECT_EQ(described.state(), v1::Operation::STATE_FAILED);
  EXPECT_EQ(described.start_time().seconds(), 98);
  EXPECT_EQ(described.end_time().seconds(), 99);
  EXPECT_EQ(described.error().code(), 3);
  EXPECT_EQ(described.error().message(), "workers: too many");
  EXPECT_EQ(RefusalReason(StatusFrom(described.error())), "RELOAD_FAILED");
  operation.error = Refusal(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID", "all of it");
  EXPECT_EQ(StatusFrom(DescribeOperation(operation, 0, 0).error()), operation.error);
  EXPECT_EQ(described.requested_by(), "local");
}

TEST(DescribeOperation, OneThatWaitsHasNoTimes) {
  const v1::Operation described =
      DescribeOperation({.number = 1,
                         .spec = {.kind = OperationKind::kScale, .requested_by = ""},
                         .error = absl::OkStatus()},
                        1, 1);
  EXPECT_FALSE(described.has_start_time());
  EXPECT_FALSE(described.has_end_time());
  EXPECT_FALSE(described.has_error());
}

}  // namespace
}  // namespace grove::supervisor
