#include "server/control/call_lanes.h"

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::control {
namespace {

using tenancy::Principal;
using testing::ElementsAre;

class SetClock final : public Clock {
 public:
  MonotonicNanos Now() override { return now; }
  MonotonicNanos now = 1;
};

class CallLanesTest : public testing::Test {
 protected:
  CallLanesTest() { Make(100); }

  void Make(size_t waiting_max) {
    lanes_ = std::make_shared<CallLanes>(CallLanes::Options{
        .waiting_max = waiting_max,
        .post = [this](absl::AnyInvocable<void()> call) { posted_.push_back(std::move(call)); },
        .clock = &clock_});
  }
  const Principal& Of(const std::string& tenant) {
    Principal& who = principals_[tenant];
    who.tenant = tenant;
    return who;
  }
  // A call that takes so long, and then stands in ran_.
  absl::Status Enter(const std::string& tenant, absl::Duration takes = absl::Milliseconds(1),
                     size_t bytes = 10) {
    return lanes_->Enter(Of(tenant), bytes, [this, tenant, takes] {
      clock_.now += absl::ToInt64Nanoseconds(takes);
      ran_.push_back(tenant.empty() ? "operators" : tenant);
    });
  }
  void EnterSome(const std::string& tenant, int count,
                 absl::Duration takes = absl::Milliseconds(1)) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(Enter(tenant, takes).ok()) << tenant << i;
  }
  // What the hub does in a turn. False: nothing was posted.
  bool Turn() {
    std::vector<absl::AnyInvocable<void()>> calls;
    calls.swap(posted_);
    for (auto& call : calls) call();
    return !calls.empty();
  }
  void RunAll() {
    while (Turn()) {
    }
  }
  std::map<std::string, int> Counts(size_t first) {
    std::map<std::string, int> counts;
    for (size_t i = 0; i < first && i < ran_.size(); ++i) ++counts[ran_[i]];
    return counts;
  }

  SetClock clock_;
  std::map<std::string, Principal> principals_;
  std::vector<absl::AnyInvocable<void()>> posted_;
  std::vector<std::string> ran_;
  std::shared_ptr<CallLanes> lanes_;
};

TEST_F(CallLanesTest, CallsOfOneRunInTheOrderInWhichTheyCame) {
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(lanes_->Enter(Of("a"), 1, [&order, i] { order.push_back(i); }).ok());
  }
  EXPECT_EQ(posted_.size(), 1);
  EXPECT_EQ(lanes_->waiting(), 3);
  RunAll();
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  EXPECT_EQ(lanes_->waiting(), 0);
}

TEST_F(CallLanesTest, ATurnEndsInTimeAndTheRestComesInTheNext) {
  EnterSome("a", 5);
  Turn();
  EXPECT_EQ(ran_.size(), 2);  // a millisecond each
  EXPECT_EQ(posted_.size(), 1);
  Turn();
  EXPECT_EQ(ran_.size(), 4);
  RunAll();
  EXPECT_EQ(ran_.size(), 5);
}

TEST_F(CallLanesTest, WhoComesLaterThanAFloodDoesNotWaitForAllOfIt) {
  EnterSome("flood", 40);
  Turn();
  EnterSome("quiet", 1);
  EnterSome("", 1);
  ran_.clear();
  RunAll();
  EXPECT_EQ(Counts(3)["quiet"], 1);
  EXPECT_EQ(Counts(3)["operators"], 1);
}

TEST_F(CallLanesTest, TenantsShareTimeNotCalls) {
  EnterSome("long", 10, absl::Milliseconds(9));
  EnterSome("short", 40);
  RunAll();
  // The first 36 ms: as much for each.
  const auto counts = Counts(2 + 18);
  EXPECT_EQ(counts.at("long"), 2);
  EXPECT_EQ(counts.at("short"), 18);
}

TEST_F(CallLanesTest, AFifthIsTheOperatorsWhereAllWantMore) {
  EnterSome("", 20);
  EnterSome("a", 40);
  EnterSome("b", 20);
  RunAll();
  const auto counts = Counts(50);
  EXPECT_NEAR(counts.at("operators"), 10, 1);
  EXPECT_NEAR(counts.at("a"), 20, 1);
  EXPECT_NEAR(counts.at("b"), 20, 1);
}

TEST_F(CallLanesTest, WhatNobodyUsesIsForTheOthers) {
  EnterSome("", 20);
  RunAll();
  // They have run alone: nothing of it is held against them, nor are they owed for silence.
  EnterSome("a", 30);
  EnterSome("", 10);
  ran_.clear();
  RunAll();
  EXPECT_NEAR(Counts(10)["operators"], 2, 1);
}

TEST_F(CallLanesTest, OneThatSendsCallByCallPaysForThemToo) {
  EnterSome("batches", 1, absl::Milliseconds(30));
  EnterSome("others", 50);
  while (ran_.empty() || ran_.back() != "batches") Turn();
  // The next one as soon as one is answered.
  EnterSome("batches", 1, absl::Milliseconds(30));
  ran_.clear();
  RunAll();
  EXPECT_EQ(Counts(25)["batches"], 0);
}

TEST_F(CallLanesTest, AFloodLeavesRoomForWhoComesNew) {
  int flood = 0;
  while (Enter("flood").ok()) ++flood;
  EXPECT_EQ(flood, 50);
  int second = 0;
  while (Enter("second").ok()) ++second;
  EXPECT_EQ(second, 25);
  EXPECT_TRUE(Enter("third").ok());
  EXPECT_FALSE(Enter("flood").ok());
  EXPECT_EQ(lanes_->refused(), 3);
  RunAll();
  EXPECT_TRUE(Enter("flood").ok());
}

TEST_F(CallLanesTest, TheOperatorsHaveRoomOfTheirOwn) {
  while (Enter("flood").ok()) {
  }
  int operators = 0;
  while (Enter("").ok()) ++operators;
  EXPECT_EQ(operators, 25);
}

TEST_F(CallLanesTest, WhereNobodySaysWhoCallsAllAreAsATenant) {
  int local = 0;
  while (lanes_->Enter(*tenancy::LocalPrincipal(), 1, [] {}).ok()) ++local;
  EXPECT_EQ(local, 50);
}

TEST_F(CallLanesTest, ALargeCallTakesTheRoomOfMany) {
  EXPECT_TRUE(Enter("a", absl::Milliseconds(1), 40 * kCallUnitBytes).ok());
  EXPECT_FALSE(Enter("a", absl::Milliseconds(1), 20 * kCallUnitBytes + 1).ok());
  EXPECT_TRUE(Enter("b", absl::Milliseconds(1), 20 * kCallUnitBytes).ok());
  RunAll();
  // Alone, one of any size has room.
  EXPECT_TRUE(Enter("a", absl::Milliseconds(1), 1'000 * kCallUnitBytes).ok());
}

TEST_F(CallLanesTest, WhoIsRefusedIsToldWhenToComeBackAndNothingOfOthers) {
  EnterSome("a", 20, absl::Milliseconds(10));
  RunAll();
  absl::Status refused;
  while (refused.ok()) refused = Enter("a");
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(RefusalReason(refused), "CONTROL_BUSY");
  EXPECT_EQ(refused.message(), "too many calls of tenants/a wait for their turn; try again later");
  EXPECT_TRUE(refused.GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
  EXPECT_TRUE(refused.GetPayload(Abseil(kQuotaFailureType)).has_value());
}

TEST_F(CallLanesTest, WhatIsPushedIsNotRefused) {
  Make(1);
  ASSERT_TRUE(Enter("a").ok());
  ASSERT_FALSE(Enter("a").ok());
  bool ran = false;
  lanes_->Push(Of("a"), [&] { ran = true; });
  RunAll();
  EXPECT_TRUE(ran);
}

TEST_F(CallLanesTest, AnExceptionIsTheHubsAndTheRestRuns) {
  lanes_->Push(Of("a"), [] { throw std::runtime_error("of a call"); });
  EnterSome("a", 1);
  EXPECT_THROW(Turn(), std::runtime_error);
  RunAll();
  EXPECT_EQ(ran_.size(), 1);
}

TEST_F(CallLanesTest, CallsMayEnterMoreCalls) {
  lanes_->Push(Of("a"), [&] { EnterSome("a", 2); });
  RunAll();
  EXPECT_EQ(ran_.size(), 2);
}

TEST_F(CallLanesTest, ManyTenantsThatHaveGoneAreForgotten) {
  Make(10 * kIdleLanesMin);
  for (size_t i = 0; i < 3 * kIdleLanesMin; ++i) EnterSome(StrCat("t", i), 1);
  RunAll();
  EnterSome("a", 1);
  RunAll();
  EXPECT_EQ(ran_.size(), 3 * kIdleLanesMin + 1);
}

TEST_F(CallLanesTest, WhatWasPostedOutlivesThem) {
  EnterSome("a", 1);
  lanes_.reset();
  RunAll();
  EXPECT_TRUE(ran_.empty());
}

}  // namespace
}  // namespace grove::control
