#include "server/supervisor/operations.h"

#include "gmock/gmock.h"

namespace grove::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using enum OperationKind;
using enum OperationState;

constexpr MonotonicNanos kNow = 1000;

class OperationsTest : public testing::Test {
 protected:
  int64_t Add(OperationKind kind) { return *operations_.Add({.kind = kind, .requested_by = "a"}); }
  // The number of the one that begins; 0: none does.
  int64_t BeginNext() {
    Operation* next = operations_.NextToBegin();
    if (next == nullptr) return 0;
    operations_.Begin(*next, kNow);
    return next->number;
  }
  Operation& At(int64_t number) { return *operations_.Find(number); }

  Operations operations_;
};

TEST_F(OperationsTest, OneRunsAndTheOthersWaitInTheirOrder) {
  Add(kScale);
  Add(kRestart);
  Add(kUpgrade);
  EXPECT_EQ(BeginNext(), 1);
  EXPECT_EQ(BeginNext(), 0);
  operations_.Succeed(At(1), "done", kNow + 1);
  EXPECT_EQ(At(1).ended, kNow + 1);
  EXPECT_EQ(BeginNext(), 2);
  operations_.Fail(At(2), absl::InternalError("no"), "as before", kNow + 2);
  EXPECT_EQ(BeginNext(), 3);
}

TEST_F(OperationsTest, WhatTouchesNoProcessRunsBesideTheOthers) {
  Add(kRestart);
  Add(kScale);
  Add(kDrain);
  Add(kSetLogLevel);
  EXPECT_EQ(BeginNext(), 1);
  EXPECT_EQ(BeginNext(), 3);
  EXPECT_EQ(BeginNext(), 4);
  EXPECT_EQ(BeginNext(), 0);
}

TEST_F(OperationsTest, AReloadNeedNotWaitForAReloadButForTheOthers) {
  Add(kReload);
  EXPECT_EQ(BeginNext(), 1);
  Add(kReload);
  EXPECT_EQ(BeginNext(), 2);
  operations_.SupersedeAll(0, "", kNow);
  Add(kRestart);
  EXPECT_EQ(BeginNext(), 3);
  Add(kReload);
  EXPECT_EQ(BeginNext(), 0);
}

TEST_F(OperationsTest, SupersedesAllButTheOneThatIsSpared) {
  Add(kReload);
  Add(kScale);
  Add(kDrain);
  BeginNext();
  operations_.SupersedeAll(3, "the daemon stops", kNow);
  EXPECT_EQ(At(1).state, kSuperseded);
  EXPECT_EQ(At(2).state, kSuperseded);
  EXPECT_EQ(At(2).message, "the daemon stops");
  EXPECT_EQ(At(3).state, kWaiting);
}

TEST_F(OperationsTest, TellsWhatChangedOnce) {
  Add(kScale);
  EXPECT_THAT(operations_.TakeChanges(), ElementsAre(OperationChange{1, true}));
  BeginNext();
  operations_.Progress(At(1), 1, 2, "half");
  EXPECT_THAT(operations_.TakeChanges(), ElementsAre(OperationChange{1, true}));
  operations_.Progress(At(1), 1, 2, "half");
  EXPECT_THAT(operations_.TakeChanges(), IsEmpty());
  operations_.Progress(At(1), 2, 2, "all");
  EXPECT_THAT(operations_.TakeChanges(), ElementsAre(OperationChange{1, false}));
}

TEST_F(OperationsTest, KeepsTheNewestThatEnded) {
  for (int64_t number = 1; number <= Operations::kEndedMax + 1; ++number) {
    Add(kScale);
    BeginNext();
    operations_.Succeed(At(number), "", kNow);
  }
  EXPECT_EQ(operations_.Find(1), nullptr);
  EXPECT_NE(operations_.Find(2), nullptr);
  EXPECT_EQ(operations_.all().size(), static_cast<size_t>(Operations::kEndedMax));
}

TEST_F(OperationsTest, RefusesMoreThanMayWait) {
  for (int i = 0; i < Operations::kWaitingMax; ++i) Add(kRestart);
  EXPECT_EQ(operations_.Add({.kind = kRestart, .requested_by = "a"}).status().code(),
            absl::StatusCode::kResourceExhausted);
  BeginNext();
  EXPECT_TRUE(operations_.Add({.kind = kRestart, .requested_by = "a"}).ok());
}

TEST_F(OperationsTest, NumbersGoOnAfterThoseOfAnotherSupervisor) {
  operations_.Restore({.number = 7,
                       .spec = {.kind = kUpgrade, .requested_by = "a"},
                       .state = kSucceeded,
                       .error = absl::OkStatus()});
  EXPECT_EQ(Add(kScale), 8);
}

}  // namespace
}  // namespace grove::supervisor
