#include "server/tasks/fairness_view.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "server/tasks/dispatch.h"
#include "server/tasks/engine_fixture.h"
#include "server/tasks/state_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;

class FairnessTest : public EngineTest {
 protected:
  // Two tenants with queues that are never empty, and one slot: who starts, as `run` runs on.
  void SetUp() override {
    Make(
        "tenants { name: 'default' weight: 300 } tenants { name: 'acme' }"
        "tenants { name: 'idle' weight: 50 }");
    Up(0, 1);
  }
  // Each attempt of the tenant takes so many seconds; how many each got.
  std::map<std::string, int> Run(int attempts, std::map<std::string, int64_t> takes) {
    std::map<std::string, int> got;
    for (const char* tenant : {"default", "acme"}) {
      for (int i = 0; i < 2; ++i) Spawn("", std::string("tenants/") + tenant);
    }
    Tick();
    for (int i = 0; i < attempts; ++i) {
      const auto starts = TakeStarts();
      if (starts.size() != 1) ADD_FAILURE() << starts.size();
      const std::string tenant = starts[0].tenant();
      ++got[tenant];
      Spawn("", "tenants/" + tenant);
      now_ += takes[tenant] * kSecond;
      End(starts[0].attempt());
    }
    return got;
  }
  v1::GetFairnessResponse Fairness(const std::string& parent = "", int page_size = 0,
                                   const std::string& page_token = "") {
    v1::GetFairnessRequest request;
    request.set_parent(parent);
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    const auto response = engine_->GetFairness(request, now_);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::GetFairnessResponse();
  }
};

TEST_F(FairnessTest, TenantsShareWorkerTimeByWeight) {
  const auto got = Run(70, {{"default", 10}, {"acme", 1}});
  // 300 s of the one for 100 of the other.
  EXPECT_NEAR(got.at("default"), 70.0 * 3 / 13, 2);
  EXPECT_NEAR(got.at("acme"), 70.0 * 10 / 13, 2);
}

TEST_F(FairnessTest, SaysWhoHadHowMuch) {
  Run(40, {{"default", 1}, {"acme", 1}});
  const auto fairness = Fairness();
  EXPECT_GE(fairness.daemon().jain(), 0.98);
  EXPECT_EQ(fairness.daemon().slots(), 1);
  EXPECT_EQ(fairness.daemon().running(), 1);
  EXPECT_EQ(fairness.daemon().tenants_active(), 2);
  EXPECT_EQ(fairness.daemon().idle_slot_while_backlogged().seconds(), 0);
  EXPECT_EQ(fairness.daemon().window().seconds(), 10);
  ASSERT_EQ(fairness.shares_size(), 2);
  EXPECT_EQ(fairness.shares(0).tenant(), "tenants/acme");
  EXPECT_EQ(fairness.shares(0).weight(), 100);
  EXPECT_NEAR(fairness.shares(0).fair_share(), 0.25, 0.01);
  EXPECT_NEAR(fairness.shares(0).share(), 0.25, 0.1);
  EXPECT_NEAR(fairness.shares(0).worker_time_total().seconds(), 10, 1);
  EXPECT_EQ(fairness.shares(0).backlog() + fairness.shares(1).backlog(), 3);
  EXPECT_EQ(fairness.shares(1).weight(), 300);
}

TEST_F(FairnessTest, ATenantsOwnIsItsRowAlone) {
  Run(4, {{"default", 1}, {"acme", 1}});
  const auto own = Fairness("tenants/acme");
  EXPECT_FALSE(own.has_daemon());
  ASSERT_EQ(own.shares_size(), 1);
  EXPECT_EQ(own.shares(0).tenant(), "tenants/acme");
  // Also of one that does nothing.
  ASSERT_EQ(Fairness("tenants/idle").shares_size(), 1);
  EXPECT_EQ(Fairness("tenants/idle").shares(0).weight(), 50);
  EXPECT_EQ(Fairness("tenants/idle").shares(0).share(), 0);
}

TEST_F(FairnessTest, ListsByPage) {
  Run(4, {{"default", 1}, {"acme", 1}});
  const auto first = Fairness("tenants/-", 1);
  ASSERT_EQ(first.shares_size(), 1);
  EXPECT_EQ(first.shares(0).tenant(), "tenants/acme");
  const auto second = Fairness("tenants/-", 1, first.next_page_token());
  ASSERT_EQ(second.shares_size(), 1);
  EXPECT_EQ(second.shares(0).tenant(), "tenants/default");
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(FairnessTest, RefusesWhatIsNotThere) {
  v1::GetFairnessRequest request;
  request.set_parent("tenants/nobody");
  EXPECT_EQ(engine_->GetFairness(request, now_).status().code(), absl::StatusCode::kNotFound);
  request.set_parent("nobody");
  EXPECT_EQ(engine_->GetFairness(request, now_).status().code(),
            absl::StatusCode::kInvalidArgument);
  request.clear_parent();
  request.set_page_token("x");
  EXPECT_EQ(engine_->GetFairness(request, now_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Not at the end of an attempt that may take hours.
TEST_F(FairnessTest, WorkerTimeIsCountedOnceASecondWhileItIsUsed) {
  Spawn("", "tenants/acme");
  Tick();
  TakeStarts();
  fx_.Clear();
  std::vector<int64_t> counted;
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(engine_->NextDeadline(), now_ + kSecond);
    Tick(1);
    for (const Tally& tally : fx_.tallies) {
      if (tally.kind == Tally::Kind::kWorkerTime) counted.push_back(tally.us);
      EXPECT_NE(tally.kind, Tally::Kind::kIdleSlots);
    }
    fx_.Clear();
  }
  EXPECT_EQ(counted.size(), 3u);
  EXPECT_EQ(std::count(counted.begin(), counted.end(), kSecond), 3);
}

TEST_F(FairnessTest, PrioritiesAge) {
  Make(
      "tasks { ageing_ms: 1000 }"
      "tenants { name: 'default' queues { name: 'p' order: ORDER_PRIORITY } }");
  Up(0, 0);
  const std::string old = Spawn("queue: 'p'");
  Tick(2);
  const std::string soon = Spawn("queue: 'p' priority: 3");
  Tick(2);
  const std::string late = Spawn("queue: 'p' priority: 3");
  Up(0, 10);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(soon, old, late));
}

class AuditTest : public StateTest {
 protected:
  int64_t IdleUs() {
    int64_t us = 0;
    for (const Tally& tally : state_.tallies) {
      if (tally.kind == Tally::Kind::kIdleSlots) us += tally.us;
    }
    state_.tallies.clear();
    return us;
  }
  void PassASecond() {
    state_.Advance(state_.now_us + kUsPerSecond);
    Dispatch(state_, effects_);
    AuditFairness(state_);
  }
};

// The figure must be able to be something else than 0.
TEST_F(AuditTest, FindsASlotThatIsIdleBesideABacklog) {
  Enqueue(state_, Add(), /*to_front=*/false);
  Rest(state_, 0);  // The wake-up is lost.
  PassASecond();
  EXPECT_EQ(IdleUs(), 0);
  PassASecond();
  EXPECT_EQ(IdleUs(), 100 * kUsPerSecond);
  WakeQueue(state_, 0);
  PassASecond();
  EXPECT_EQ(IdleUs(), 100 * kUsPerSecond);
  PassASecond();
  EXPECT_EQ(IdleUs(), 0);
}

TEST_F(AuditTest, WhatWaitsForSomethingElseIsNoIdleSlot) {
  state_.pools[0].size = 0;
  Enqueue(state_, Add(), /*to_front=*/false);
  for (int i = 0; i < 3; ++i) PassASecond();
  EXPECT_EQ(IdleUs(), 0);
}

}  // namespace
}  // namespace grove::tasks
