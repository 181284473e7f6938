#include "server/tasks/retention.h"

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RetentionTest : public EngineTest {
 protected:
  // In queue `queue`; it ends at once, as told.
  std::string Ended(Outcome::Outcome outcome, const std::string& queue = "default") {
    std::string name = Spawn("queue: '" + queue + "'");
    Tick();
    End(TakeOnlyStart(), outcome);
    return name;
  }
  std::string Succeeded(const std::string& queue = "default") {
    return Ended(Outcome::OUTCOME_SUCCEEDED, queue);
  }
  std::string Failed(const std::string& queue = "default") {
    return Ended(Outcome::OUTCOME_FAILED, queue);
  }
  // Of these, those that are there, by their places.
  std::vector<size_t> Kept(const std::vector<std::string>& names) {
    std::vector<size_t> kept;
    for (size_t i = 0; i < names.size(); ++i) {
      if (engine_->Find(names[i]).ok()) kept.push_back(i);
    }
    return kept;
  }
};

TEST_F(RetentionTest, DeadLettersStayLonger) {
  Make("tasks { retention_ms: 5000 dead_letter_retention_ms: 60000 }");
  Up(0);
  const std::vector<std::string> names = {Failed(), Succeeded(), Ended(Outcome::OUTCOME_TIMED_OUT),
                                          Ended(Outcome::OUTCOME_CANCELLED)};
  EXPECT_EQ(Queue().ended(), 4);
  EXPECT_EQ(Queue().dead_letters(), 2);
  EXPECT_EQ(engine_->NextDeadline(), now_ + 5 * kSecond);
  Tick(5);
  EXPECT_THAT(Kept(names), ElementsAre(0, 2));
  EXPECT_EQ(Queue().ended(), 2);
  EXPECT_EQ(engine_->NextDeadline(), now_ + 55 * kSecond);
  Tick(54);
  EXPECT_THAT(Kept(names), ElementsAre(0, 2));
  Tick(1);
  EXPECT_THAT(Kept(names), IsEmpty());
  EXPECT_EQ(Queue().dead_letters(), 0);
}

TEST_F(RetentionTest, AQueueHasTimesOfItsOwn) {
  Make(
      "tasks { retention_ms: 5000 dead_letter_retention_ms: 9000 } tenants { name: 'default' "
      "queues { name: 'mail' retention_ms: 7000 dead_letter_retention_ms: 1000 } }");
  Up(0);
  EXPECT_EQ(Queue("mail").retention().seconds(), 7);
  EXPECT_EQ(Queue("mail").dead_letter_retention().seconds(), 1);
  EXPECT_EQ(Queue().retention().seconds(), 5);
  EXPECT_EQ(Queue().dead_letter_retention().seconds(), 9);
  EXPECT_EQ(engine_->LongestRetentionUs(), 9 * kSecond);
  const std::vector<std::string> names = {Succeeded("mail"), Failed("mail"), Succeeded(), Failed()};
  Tick(1);
  EXPECT_THAT(Kept(names), ElementsAre(0, 2, 3));
  Tick(4);
  EXPECT_THAT(Kept(names), ElementsAre(0, 3));
  Tick(2);
  EXPECT_THAT(Kept(names), ElementsAre(3));
  Tick(2);
  EXPECT_THAT(Kept(names), IsEmpty());
}

TEST_F(RetentionTest, AFloodOfSuccessesDoesNotWashDeadLettersAway) {
  Make("tasks { retained_max: 4 }");
  Up(0);
  std::vector<std::string> names = {Failed(), Failed()};
  for (int i = 0; i < 5; ++i) names.push_back(Succeeded());
  Tick(), Tick();
  EXPECT_THAT(Kept(names), ElementsAre(0, 1, 5, 6));
  EXPECT_EQ(Queue().ended(), 4);
}

TEST_F(RetentionTest, DeadLettersAloneAreBoundedToo) {
  Make("tasks { retained_max: 4 }");
  Up(0);
  std::vector<std::string> names = {Succeeded(), Succeeded(), Succeeded()};
  for (int i = 0; i < 3; ++i) names.push_back(Failed());
  Tick(), Tick();
  EXPECT_THAT(Kept(names), ElementsAre(1, 2, 4, 5)) << "more than half of all, the oldest goes";
}

TEST_F(RetentionTest, ARetriedOneIsNoDeadLetter) {
  Up(0);
  const std::string name = Failed();
  EXPECT_EQ(Queue().dead_letters(), 1);
  Tick();
  ASSERT_TRUE(
      engine_->Change(*engine_->Find(name), {.kind = TaskAction::Kind::kRetry}, now_, fx_).ok());
  EXPECT_EQ(Queue().dead_letters(), 0);
  EXPECT_EQ(Queue().ended(), 0);
  Tick();
  End(TakeOnlyStart());
  EXPECT_EQ(Queue().ended(), 1);
  EXPECT_EQ(Queue().dead_letters(), 0);
}

TEST_F(RetentionTest, CountersShowTheDeadLettersOfAQueue) {
  Up(0);
  Failed();
  ASSERT_EQ(engine_->Counters(now_).queues.size(), 1u);
  EXPECT_EQ(engine_->Counters(now_).queues[0].dead_letters, 1);
}

TEST_F(RetentionTest, WhatIsOverAfterARestartGoesInSteps) {
  Make("tasks { retention_ms: 5000 }");
  Up(0);
  Spawn("durability: DURABILITY_DURABLE");
  Persist();
  End(TakeOnlyStart());
  Persist();
  const StoredTask ended = Disk()[0];
  Make("tasks { retention_ms: 5000 }", 2);
  std::vector<StoredTask> stored(kDropsPerTickMax + 1, ended);
  for (size_t i = 0; i < stored.size(); ++i) stored[i].id.low += i;
  now_ += 6 * kSecond;
  for (const StoredTask& task : stored) engine_->Recover(task, now_);
  EXPECT_EQ(engine_->EndRecovery(now_).restored, static_cast<int64_t>(stored.size()));
  EXPECT_LE(engine_->NextDeadline(), now_);
  for (int turns = 0; turns < 3 && engine_->Counters(now_).tasks_held > 1; ++turns) Tick();
  EXPECT_EQ(engine_->Counters(now_).tasks_held, 1);
  EXPECT_LE(engine_->NextDeadline(), now_) << "more is to go at once";
  Tick();
  EXPECT_EQ(engine_->Counters(now_).tasks_held, 0);
}

}  // namespace
}  // namespace grove::tasks
