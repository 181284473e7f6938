// Tasks of a limit key of which only so many run, and what is known of keys.
#include "server/tasks/limit_keys.h"

#include "gmock/gmock.h"
#include "server/tasks/bounds_fixture.h"
#include "server/tasks/state_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Why = v1::WaitExplanation;

class LimitKeysTest : public BoundsTest {
 protected:
  void SetUp() override {
    BoundsTest::SetUp();
    Up(0);
  }
};

TEST_F(LimitKeysTest, NoMoreRunThanTheLimitAndOthersPass) {
  SetLimit("pattern: 'a' running_max: 2");
  const std::string a1 = Of("a"), a2 = Of("a"), a3 = Of("a"), a4 = Of("a");
  const std::string b = Of("b"), plain = Of("");
  EXPECT_THAT(Started(), ElementsAre(a1, a2, b, plain));
  EndOf(a2);
  EXPECT_THAT(Started(), ElementsAre(a3));
  EndOf(a1);
  EndOf(a3);
  EXPECT_THAT(Started(), ElementsAre(a4));
}

TEST_F(LimitKeysTest, APatternCountsEachKeyByItself) {
  SetLimit("pattern: 'customer-*' running_max: 1");
  const std::string a1 = Of("customer-a"), a2 = Of("customer-a"), b1 = Of("customer-b");
  EXPECT_THAT(Started(), ElementsAre(a1, b1));
  EndOf(b1);
  EXPECT_THAT(Started(), IsEmpty());
  EndOf(a1);
  EXPECT_THAT(Started(), ElementsAre(a2));
}

TEST_F(LimitKeysTest, TheFirstKeyHoldsTheSecondOnesTogether) {
  SetLimit("pattern: 'a' running_max: 3");
  SetLimit("pattern: 'a/*' running_max: 2");
  const std::string x1 = Of("a/x"), x2 = Of("a/x"), x3 = Of("a/x");
  const std::string y1 = Of("a/y"), y2 = Of("a/y");
  EXPECT_THAT(Started(), ElementsAre(x1, x2, y1)) << "x is full at two, a at three";
  EXPECT_EQ(WaitOf(x3).subject(), "a");
  EndOf(y1);
  EXPECT_THAT(Started(), ElementsAre(y2)) << "x is still full";
  EndOf(x1);
  EXPECT_THAT(Started(), ElementsAre(x3));
}

TEST_F(LimitKeysTest, SaysWhichLimitAndHowFull) {
  SetLimit("pattern: 'a/*' running_max: 1");
  const std::string first = Of("a/x"), second = Of("a/x"), third = Of("a/x");
  Started();
  const Why wait = WaitOf(second);
  EXPECT_EQ(wait.cause(), Why::CAUSE_LIMIT);
  EXPECT_EQ(wait.text(), "limit a/* of key a/x is full: 1 of 1 slots taken");
  EXPECT_EQ(wait.subject(), "a/x");
  EXPECT_EQ(wait.used(), 1);
  EXPECT_EQ(wait.limit(), 1);
  EXPECT_FALSE(wait.has_expected_start_time());
  EXPECT_THAT(Queue().waiting_reason(), HasSubstr("limit a/*"));
  SetLimit("pattern: 'a/*' running_max: 2");
  EXPECT_EQ(WaitOf(third).cause(), Why::CAUSE_BEHIND_OTHERS);
  EXPECT_THAT(WaitOf(third).text(), HasSubstr("limit key a/x"));
}

TEST_F(LimitKeysTest, AnotherLimitHoldsAtOnce) {
  SetLimit("pattern: '*' running_max: 1");
  std::vector<std::string> names;
  names.reserve(5);
  for (int i = 0; i < 5; ++i) names.push_back(Of("a"));
  EXPECT_THAT(Started(), ElementsAre(names[0]));
  SetLimit("pattern: 'a' running_max: 3");
  EXPECT_THAT(Started(), ElementsAre(names[1], names[2]));
  SetLimit("pattern: 'a' running_max: 1");
  EndOf(names[0]);
  EXPECT_THAT(Started(), IsEmpty()) << "two run still";
  DropLimit("a");
  DropLimit("*");
  EXPECT_THAT(Started(), ElementsAre(names[3], names[4]));
}

TEST_F(LimitKeysTest, KeepsTheQueuesOrder) {
  Make(
      "tenants { name: 'default' queues { name: 'lifo' order: ORDER_LIFO } "
      "queues { name: 'urgent' order: ORDER_PRIORITY } }");
  Up(0);
  SetLimit("pattern: 'a' running_max: 1");
  for (const std::string queue : {"default", "lifo", "urgent"}) {
    SCOPED_TRACE(queue);
    std::vector<std::string> names;
    std::vector<std::string> started;
    for (int i = 0; i < 4; ++i) {
      names.push_back(Of("a", "queue: '" + queue + "' priority: " + std::to_string(i)));
      for (const std::string& name : Started()) started.push_back(name);
      now_ += 1;
    }
    for (size_t i = 0; i < started.size(); ++i) {
      EndOf(started[i]);
      for (const std::string& name : Started()) started.push_back(name);
    }
    if (queue == "default") {
      EXPECT_EQ(started, names);
    } else {
      EXPECT_THAT(started, ElementsAre(names[0], names[3], names[2], names[1]));
    }
  }
}

TEST_F(LimitKeysTest, QueuesOfOneKeyTakeTurns) {
  Make("tenants { name: 'default' queues { name: 'other' } }");
  Up(0);
  SetLimit("pattern: 'a' running_max: 1");
  std::vector<std::string> flood;
  flood.reserve(20);
  for (int i = 0; i < 20; ++i) flood.push_back(Of("a"));
  std::vector<std::string> running = Started();
  const std::string quiet = Of("a", "queue: 'other'");
  int before = 0;
  while (!running.empty() && running[0] != quiet) {
    ++before;
    EndOf(running[0]);
    running = Started();
  }
  EXPECT_LE(before, 2);
}

TEST_F(LimitKeysTest, WhatTakesMoreSlotsIsNotPassedByItsOwnKey) {
  SetLimit("pattern: 'a' running_max: 3");
  const std::string one = Of("a"), two = Of("a");
  EXPECT_THAT(Started(), ElementsAre(one, two));
  const std::string large = Of("a", "slot_cost: 3"), small = Of("a"), other = Of("b");
  EXPECT_THAT(Started(), ElementsAre(other));
  EXPECT_EQ(WaitOf(large).text(),
            "limit a of key a has too little room: 2 of 3 slots taken, and the task takes 3");
  EndOf(one);
  EXPECT_THAT(Started(), IsEmpty());
  EndOf(two);
  EXPECT_THAT(Started(), ElementsAre(large));
  EndOf(large);
  EXPECT_THAT(Started(), ElementsAre(small));
}

TEST_F(LimitKeysTest, WhoComesAfterOneThatGoesIsLookedAt) {
  SetLimit("pattern: 'a' running_max: 2");
  const std::string one = Of("a");
  EXPECT_THAT(Started(), ElementsAre(one));
  const std::string large = Of("a", "slot_cost: 2"), small = Of("a");
  EXPECT_THAT(Started(), IsEmpty());
  ASSERT_TRUE(engine_->Cancel(large, "", now_, fx_).ok());
  EXPECT_THAT(Started(), ElementsAre(small));
}

TEST_F(LimitKeysTest, OneThatNeverFitsSaysSo) {
  SetLimit("pattern: 'a' running_max: 2");
  const std::string name = Of("a", "slot_cost: 5");
  EXPECT_THAT(Started(), IsEmpty());
  EXPECT_THAT(WaitOf(name).text(), HasSubstr("0 of 2 slots taken, and the task takes 5"));
  SetLimit("pattern: 'a' running_max: 5");
  EXPECT_THAT(Started(), ElementsAre(name));
}

TEST_F(LimitKeysTest, AnAttemptCountsUntilTheWorkerHasStoppedIt) {
  SetLimit("pattern: 'a' running_max: 1");
  const std::string first = Of("a"), second = Of("a");
  Started();
  ASSERT_TRUE(engine_->Cancel(first, "", now_, fx_).ok());
  EXPECT_THAT(Started(), IsEmpty());
  EXPECT_THAT(Usage(), SizeIs(1));
  EXPECT_EQ(Usage()[0].running(), 1);
  EndOf(first);
  EXPECT_THAT(Started(), ElementsAre(second));
}

TEST_F(LimitKeysTest, WhoStandsAsideCanBePausedPostponedAndCancelled) {
  SetLimit("pattern: 'a' running_max: 1");
  const std::string first = Of("a"), paused = Of("a"), later = Of("a"), gone = Of("a"),
                    last = Of("a");
  Started();
  const auto change = [&](const std::string& name, const TaskAction& action) {
    EXPECT_TRUE(engine_->Change(*engine_->Find(name), action, now_, fx_).ok());
  };
  change(paused, {.kind = TaskAction::Kind::kPause});
  change(later, {.kind = TaskAction::Kind::kUpdate, .delay_us = 60 * kSecond});
  change(gone, {.kind = TaskAction::Kind::kCancel});
  EXPECT_EQ(Usage()[0].queued(), 3);
  EndOf(first);
  EXPECT_THAT(Started(), ElementsAre(last));
  EndOf(last);
  change(paused, {.kind = TaskAction::Kind::kResume});
  EXPECT_THAT(Started(), ElementsAre(paused));
  now_ += 61 * kSecond;
  EXPECT_THAT(Started(), IsEmpty());
  EndOf(paused);
  EXPECT_THAT(Started(), ElementsAre(later));
}

TEST_F(LimitKeysTest, UsageIsOfKeysThatHaveTasks) {
  SetLimit("pattern: 'a*' running_max: 1 queued_max: 9");
  Of("a1/x");
  Of("a1/x");
  Of("a1/y", "slot_cost: 2");
  Of("b");
  Started();
  std::vector<std::string> rows;
  for (const v1::LimitUsage& key : Usage()) rows.push_back(key.ShortDebugString());
  EXPECT_THAT(
      rows,
      ElementsAre("key: \"a1\" pattern: \"a*\" running: 1 queued: 2 running_max: 1 queued_max: 9",
                  "key: \"a1/x\" running: 1 queued: 1", "key: \"a1/y\" queued: 1",
                  "key: \"b\" running: 1"));
  EXPECT_THAT(Usage("a1/"), SizeIs(2));
  EXPECT_THAT(engine_->ListKeys(0, "", "a1/x", 1), SizeIs(1));
  EXPECT_EQ(engine_->ListKeys(0, "", "a1/x", 1)[0].key(), "a1/y");
  EXPECT_THAT(Usage("zz"), IsEmpty());
}

TEST_F(LimitKeysTest, ABucketThatIsNotFullIsRemembered) {
  SetLimit("pattern: 'a' spawns_per_minute: 6 spawn_burst: 1");
  const std::string name = Of("a");
  Started();
  EndOf(name);
  EXPECT_THAT(Usage(), IsEmpty());
  EXPECT_EQ(RefusalReason(Refused(Keys("a"))), "LIMIT_SPAWN_RATE");
  Tick(10);
  Of("a");
}

TEST_F(LimitKeysTest, ATenantWhoseLastTaskIsGoneIsAsCheapAsANewOne) {
  const std::string name = Of("a", "request_id: 'r'");
  Started();
  EndOf(name);
  Tick();
  EXPECT_TRUE(
      *engine_->Change(*engine_->Find(name), {.kind = TaskAction::Kind::kDelete}, now_, fx_));
  EXPECT_THAT(Usage(), IsEmpty());
  Of("a", "request_id: 'r'");
}

class KeyRecordsTest : public StateTest {
 protected:
  bool IsThere(const char* name) { return FindKey(state_, 0, name) != nullptr; }
};

TEST_F(KeyRecordsTest, AKeyIsThereWhileSomebodyUsesIt) {
  LimitKey* const key = UseKey(state_, 0, "a/b");
  EXPECT_EQ(UseKey(state_, 0, "a/b"), key);
  EXPECT_EQ(key->parent, FindKey(state_, 0, "a"));
  LeaveKey(state_, key);
  EXPECT_TRUE(IsThere("a/b"));
  LimitKey* const first = UseKey(state_, 0, "a");
  LeaveKey(state_, key);
  EXPECT_FALSE(IsThere("a/b"));
  EXPECT_TRUE(IsThere("a"));
  LeaveKey(state_, first);
  EXPECT_TRUE(state_.tenants[0].use().keys.empty()) << "nothing is left of the last one";
  EXPECT_EQ(NextIdleKey(state_), INT64_MAX);
}

TEST_F(KeyRecordsTest, OneWhoseBucketIsNotFullGoesOnceItIs) {
  LimitKey* key = UseKey(state_, 0, "a/b");
  key->spawns.Take({.interval_ns = 5'000'000'000, .burst = 9}, state_.now_us * 1000);
  LeaveKey(state_, key);
  EXPECT_TRUE(IsThere("a/b"));
  EXPECT_LE(NextIdleKey(state_), state_.now_us + 7 * kUsPerSecond);
  state_.Advance(state_.now_us + 4 * kUsPerSecond);
  ForgetIdleKeys(state_);
  EXPECT_TRUE(IsThere("a/b"));
  EXPECT_EQ(UseKey(state_, 0, "a/b"), key) << "it is used again";
  EXPECT_EQ(NextIdleKey(state_), INT64_MAX);
  LeaveKey(state_, key);
  state_.Advance(NextIdleKey(state_));
  ForgetIdleKeys(state_);
  EXPECT_TRUE(state_.tenants[0].use().keys.empty());
  EXPECT_EQ(NextIdleKey(state_), INT64_MAX);
}

TEST_F(LimitKeysTest, TasksKeepTheirKeysOverARestart) {
  const std::string limits =
      "tenants { name: 'default' limits { pattern: 'a' running_max: 2 } "
      "quotas { queued_max: 10 } }";
  Make(limits);
  Up(0);
  const std::string durable = "durability: DURABILITY_DURABLE ";
  const std::string first = Of("a", durable + "slot_cost: 2"), second = Of("a/b", durable),
                    third = Of("a", durable + "delay { seconds: 60 }");
  Persist();
  EXPECT_THAT(Started(), ElementsAre(first));
  Persist();
  const uint64_t live = attempts_.at(first);
  Make(limits, 2);
  Recover(Disk());
  internal::v1::Hello hello = Hello(0);
  hello.add_running(live);
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  EXPECT_THAT(Started(), IsEmpty());
  EXPECT_EQ(WaitOf(second).cause(), Why::CAUSE_LIMIT);
  EXPECT_EQ(Usage()[0].running(), 2);
  EXPECT_EQ(Usage()[0].queued(), 2);
  EXPECT_EQ(Load().queued_bytes, 4) << "two inputs of {}";
  EXPECT_THAT(Get(second).spec().limit_keys(), ElementsAre("a", "b"));
  EXPECT_EQ(Get(first).spec().slot_cost(), 2);
  End(live);
  EXPECT_THAT(Started(), ElementsAre(second));
}

TEST_F(LimitKeysTest, AFunctionThatIsFullAndAKeyThatIsFullHoldTogether) {
  internal::v1::Hello hello = Hello(0);
  internal::v1::FunctionDescription& one = *hello.add_functions();
  one.set_name("one");
  one.set_concurrency_max(1);
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  SetLimit("pattern: 'a' running_max: 1");
  const std::string function = "function: 'one' ";
  const std::string a = Of("a"), both = Of("a", function), other = Spawn(function), last = Of("a");
  EXPECT_THAT(Started(), ElementsAre(a, other)) << "`both` stands aside of its key first";
  EndOf(a);
  EXPECT_THAT(Started(), ElementsAre(last)) << "`both` stands aside of its function now";
  EndOf(other);
  EXPECT_THAT(Started(), IsEmpty());
  EndOf(last);
  EXPECT_THAT(Started(), ElementsAre(both));
}

}  // namespace
}  // namespace grove::tasks
