#include "server/supervisor/handed_operations.h"

#include "gtest/gtest.h"
#include "server/refusal.h"

namespace grove::supervisor {
namespace {

Operation Whole() {
  Operation operation{.number = 12,
                      .spec = {.kind = OperationKind::kRestart,
                               .requested_by = "token ci",
                               .workers = 3,
                               .change = -1,
                               .slots = {2, 0}}};
  operation.spec.control = operation.spec.old_generation = true;
  operation.spec.program = "/p";
  operation.spec.level = "debug";
  operation.spec.reason = "age";
  operation.state = OperationState::kFailed;
  operation.message = "replacing";
  operation.steps_done = 1;
  operation.steps = 2;
  operation.begun = 100;
  operation.ended = 200;
  operation.error = Refusal(absl::StatusCode::kInternal, "CAUSE", "it died");
  return operation;
}

TEST(HandedOperation, IsReadAsItWasWritten) {
  const Operation read = OperationFrom(DescribeOperation(Whole()));
  EXPECT_EQ(DescribeOperation(read).SerializeAsString(),
            DescribeOperation(Whole()).SerializeAsString());
  EXPECT_EQ(read.spec.kind, OperationKind::kRestart);
  EXPECT_EQ(read.state, OperationState::kFailed);
  EXPECT_EQ(read.spec.slots, (std::vector<int>{2, 0}));
  EXPECT_EQ(read.error, Whole().error);
  EXPECT_EQ(read.begun, 100);
}

TEST(HandedOperation, OfAnUnknownKindOrStateHasEnded) {
  internal::v1::HandedOperation handed = DescribeOperation(Whole());
  handed.set_kind(static_cast<v1::Operation::Kind>(99));
  EXPECT_TRUE(OperationFrom(handed).HasEnded());
  handed = DescribeOperation(Whole());
  handed.clear_state();
  EXPECT_EQ(OperationFrom(handed).state, OperationState::kSuperseded);
}

}  // namespace
}  // namespace grove::supervisor
