#include "server/shared/locks.h"

#include <optional>
#include <utility>

#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "server/shared/table_memory.h"

namespace grove::shared {
namespace {

class LocksTest : public HubTest {
 protected:
  TableMemory memory_ = *TableMemory::Create({.rows = 4, .value_bytes = 64}, /*first_token=*/50);
  // Of two processes.
  Locks one_{&memory_, clock_, 11};
  Locks other_{&memory_, clock_, 12};
};

TEST_F(LocksTest, OneHasItAndTheOtherIsToldWho) {
  const absl::StatusOr<HeldLock> held = one_.TryLock("l", absl::Seconds(10));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(held->name(), "l");
  EXPECT_EQ(other_.TryLock("l", absl::Seconds(10)).status(),
            absl::AbortedError("lock 'l' is held by process 11"));
  EXPECT_TRUE(absl::IsAborted(one_.TryLock("l", absl::Seconds(10)).status()));  // nor twice
  EXPECT_TRUE(other_.TryLock("m", absl::Seconds(10)).ok());
}

TEST_F(LocksTest, EndsWithItsHandleWhereverThatWasMoved) {
  absl::StatusOr<HeldLock> held = one_.TryLock("l", absl::Seconds(10));
  ASSERT_TRUE(held.ok());
  {
    const HeldLock moved = *std::move(held);
    EXPECT_TRUE(absl::IsAborted(other_.TryLock("l", absl::Seconds(10)).status()));
  }
  EXPECT_TRUE(other_.TryLock("l", absl::Seconds(10)).ok());
  EXPECT_EQ(memory_.use().rows, 0);
}

TEST_F(LocksTest, TokensOnlyRise) {
  uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<HeldLock> held = (i == 1 ? other_ : one_).TryLock("l", absl::Seconds(1));
    ASSERT_TRUE(held.ok());
    EXPECT_GT(held->token(), last);
    last = held->token();
    clock_.Advance(absl::Seconds(1));  // lost, and not unlocked
  }
}

TEST_F(LocksTest, WhoHasLostItSeesThatAndTakesNothingFromWhoeverHasIt) {
  absl::StatusOr<HeldLock> lost = one_.TryLock("l", absl::Seconds(10));
  ASSERT_TRUE(lost.ok());
  clock_.Advance(absl::Seconds(10));
  const absl::StatusOr<HeldLock> held = other_.TryLock("l", absl::Seconds(10));
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(
      lost->Extend(absl::Seconds(10)),
      absl::FailedPreconditionError("lock 'l' is no longer held: it has expired, or was unlocked"));
  EXPECT_TRUE(absl::IsFailedPrecondition(lost->Unlock()));
  EXPECT_TRUE(absl::IsAborted(one_.TryLock("l", absl::Seconds(10)).status()));
}

TEST_F(LocksTest, AnExtensionCountsFromNow) {
  absl::StatusOr<HeldLock> held = one_.TryLock("l", absl::Seconds(10));
  ASSERT_TRUE(held.ok());
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(held->Extend(absl::Seconds(10)).ok());
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(absl::IsAborted(other_.TryLock("l", absl::Seconds(10)).status()));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(absl::IsFailedPrecondition(held->Extend(absl::Seconds(10))));
  EXPECT_TRUE(other_.TryLock("l", absl::Seconds(10)).ok());
}

TEST_F(LocksTest, UnlockedOnceIsUnlocked) {
  absl::StatusOr<HeldLock> held = one_.TryLock("l", absl::Seconds(10));
  ASSERT_TRUE(held.ok());
  EXPECT_TRUE(held->Unlock().ok());
  const absl::StatusOr<HeldLock> next = other_.TryLock("l", absl::Seconds(10));
  EXPECT_TRUE(next.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(held->Unlock()));
  EXPECT_TRUE(absl::IsFailedPrecondition(held->Extend(absl::Seconds(1))));
}

TEST_F(LocksTest, WhoWaitsHasItSoonAfterTheEnd) {
  Run([&] {
    std::optional<HeldLock> held(*one_.TryLock("l", absl::Hours(1)));
    const MonotonicNanos begun = clock_.Now();
    FiberGroup group;
    MonotonicNanos got = 0;
    ASSERT_TRUE(group
                    .Spawn("waits",
                           [&] {
                             EXPECT_TRUE(other_.Lock("l", absl::Seconds(1)).ok());
                             got = clock_.Now();
                           })
                    .ok());
    ASSERT_TRUE(Sleep(absl::Minutes(1)).ok());
    held.reset();
    ASSERT_TRUE(group.Join().ok());
    const absl::Duration waited = absl::Nanoseconds(got - begun);
    EXPECT_GE(waited, absl::Minutes(1));
    EXPECT_LE(waited, absl::Minutes(1) + Locks::kPauseMax);
  });
}

TEST_F(LocksTest, WaitingEndsByItsBoundByATimeoutAndByCancellation) {
  Run([&] {
    const HeldLock held = *one_.TryLock("l", absl::Hours(1));
    const MonotonicNanos begun = clock_.Now();
    EXPECT_TRUE(
        absl::IsDeadlineExceeded(other_.Lock("l", absl::Seconds(1), absl::Seconds(5)).status()));
    EXPECT_EQ(clock_.Now() - begun, absl::ToInt64Nanoseconds(absl::Seconds(5)));
    {
      Timeout timeout(absl::Seconds(2));
      EXPECT_TRUE(absl::IsDeadlineExceeded(other_.Lock("l", absl::Seconds(1)).status()));
    }
    absl::Status seen;
    FiberGroup group;
    ASSERT_TRUE(
        group.Spawn("waits", [&] { seen = other_.Lock("l", absl::Seconds(1)).status(); }).ok());
    ASSERT_TRUE(Sleep(absl::Seconds(1)).ok());
    group.Cancel();
    group.Join().IgnoreError();
    EXPECT_TRUE(absl::IsCancelled(seen)) << seen;
  });
}

TEST_F(LocksTest, WhatNoWaitingMendsIsSaidAtOnce) {
  Run([&] {
    EXPECT_TRUE(absl::IsInvalidArgument(one_.Lock("", absl::Seconds(1)).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(one_.Lock("l", absl::ZeroDuration()).status()));
    EXPECT_EQ(NoLocks().Lock("l", absl::Seconds(1)).status(), NoSharedTable());
    std::vector<HeldLock> all;
    for (const char* name : {"a", "b", "c", "d"}) {
      all.push_back(*one_.TryLock(name, absl::Seconds(1)));
    }
    EXPECT_TRUE(absl::IsResourceExhausted(one_.Lock("e", absl::Seconds(1)).status()));
  });
}

}  // namespace
}  // namespace grove::shared
