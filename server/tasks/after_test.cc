#include "server/tasks/after.h"

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/linked_engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Cause = v1::WaitExplanation;

constexpr const char* kSucceeded = "after_condition: AFTER_CONDITION_SUCCEEDED ";
constexpr const char* kDurable = "durability: DURABILITY_DURABLE ";

std::string After(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += StrCat("after: '", name, "' ");
  return text;
}

class AfterTest : public LinkedEngineTest {
 protected:
  void Change(const std::string& name, TaskAction::Kind kind) {
    const auto changed = engine_->Change(*engine_->Find(name), {.kind = kind}, now_, fx_);
    EXPECT_TRUE(changed.ok()) << changed.status();
    Tick();
  }
  std::string ReasonOf(const std::string& name) {
    google::rpc::ErrorInfo info;
    const v1::Task task = Get(name);
    if (task.error().details().empty()) return "";
    task.error().details(0).UnpackTo(&info);
    return info.reason();
  }
};

TEST_F(AfterTest, StartsWhenAllHaveEndedHowever) {
  const std::string first = Spawn(), second = Spawn();
  const std::string last = Spawn(After({first, second}));
  Tick();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 2u) << "the third one waits";
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_SCHEDULED);
  EXPECT_THAT(Get(last).spec().after(), ElementsAre(first, second));
  End(starts[0].attempt());
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_SCHEDULED);
  End(starts[1].attempt(), Outcome::OUTCOME_FAILED);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterTest, FailsAsSoonAsOneHasNotSucceededAndSoDoWhatComesAfterIt) {
  const std::string first = Spawn(), second = Spawn();
  const std::string third = Spawn(kSucceeded + After({first, second}));
  const std::string fourth = Spawn(kSucceeded + After({third}));
  const std::string anyway = Spawn(After({fourth}));
  Tick();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 2u);
  End(starts[1].attempt(), Outcome::OUTCOME_FAILED);
  EXPECT_EQ(StateOf(third), v1::TASK_STATE_FAILED);
  EXPECT_EQ(ReasonOf(third), "AFTER_FAILED");
  EXPECT_THAT(Get(third).error().message(), HasSubstr(second + ", which has not succeeded"));
  EXPECT_EQ(StateOf(fourth), v1::TASK_STATE_FAILED);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(anyway));
  EXPECT_TRUE(Get(third).attempts().empty());
}

TEST_F(AfterTest, ATaskThatHasFailedBeforeFailsWhatIsSpawnedAfterIt) {
  const std::string first = Spawn();
  Tick();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  const std::string doomed = Spawn(kSucceeded + After({first}));
  const std::string other = Spawn(After({first}));
  EXPECT_EQ(engine_->NextDeadline(), now_);
  Tick();
  EXPECT_EQ(StateOf(doomed), v1::TASK_STATE_FAILED);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(other));
}

TEST_F(AfterTest, AllMustBeThereAndTheTenants) {
  Make("tenants { name: 'acme' }");
  Up(0);
  const std::string other = Spawn("", "tenants/acme");
  EXPECT_EQ(RefusalReason(Refused(After({other}))), "AFTER_NOT_FOUND");
  EXPECT_EQ(RefusalReason(Refused(After({other}), "tenants/acme")), "");
  const std::string gone = "tenants/default/queues/default/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAV";
  EXPECT_EQ(Refused(After({gone})).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RefusalReason(Refused(After({gone + "x"}))), "AFTER_NOT_FOUND");
  EXPECT_EQ(RefusalReason(Refused(After({"tenants/default"}))), "NAME_INVALID");
  EXPECT_EQ(RefusalReason(Refused(After(std::vector<std::string>(10'001, other)))),
            "TOO_MANY_AFTER");
}

TEST_F(AfterTest, TheTimeIsWaitedForToo) {
  const std::string first = Spawn();
  const std::string delayed = Spawn("delay { seconds: 10 } " + After({first}));
  const uint64_t attempt = Start(first);
  Tick(20);
  EXPECT_EQ(StateOf(delayed), v1::TASK_STATE_SCHEDULED);
  EXPECT_FALSE(Get(delayed).has_schedule_time());
  const std::string later = Spawn("delay { seconds: 10 } " + After({first}));
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(delayed));
  Tick(9);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  Tick(1);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(later));
}

TEST_F(AfterTest, TellsWhatItWaitsFor) {
  const std::string first = Spawn(), second = Spawn();
  const std::string last = Spawn(After({first, second, first}));
  Tick();
  End(TakeStarts()[0].attempt());
  const v1::WaitExplanation why = Get(last).wait();
  EXPECT_EQ(why.cause(), Cause::CAUSE_AFTER);
  EXPECT_EQ(why.subject(), second);
  EXPECT_EQ(why.used(), 1);
  EXPECT_EQ(why.limit(), 2);
  EXPECT_THAT(why.text(), HasSubstr("2 tasks, of which 1 have ended"));
  EXPECT_FALSE(why.has_expected_start_time());
}

TEST_F(AfterTest, ARetryEndsTheDelayAlone) {
  const std::string first = Spawn();
  const std::string last = Spawn("delay { seconds: 60 } " + After({first}));
  const uint64_t attempt = Start(first);
  Change(last, TaskAction::Kind::kRetry);
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_SCHEDULED);
  EXPECT_FALSE(*engine_->WouldChange(*engine_->Find(last), {.kind = TaskAction::Kind::kRetry}));
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterTest, WhatWasCancelledWaitsForNothingAndWaitsAgainWhenRevived) {
  const std::string first = Spawn();
  const std::string last = Spawn(After({first}));
  const uint64_t attempt = Start(first);
  Change(last, TaskAction::Kind::kCancel);
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_CANCELLED);
  Change(last, TaskAction::Kind::kRetry);
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_SCHEDULED);
  EXPECT_EQ(Get(last).wait().cause(), Cause::CAUSE_AFTER);
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterTest, ATaskThatFailedForAnotherIsRevivedAfterThatOne) {
  const std::string first = Spawn();
  const std::string last = Spawn(kSucceeded + After({first}));
  End(Start(first), Outcome::OUTCOME_FAILED);
  ASSERT_EQ(StateOf(last), v1::TASK_STATE_FAILED);
  const TaskAction retry{.kind = TaskAction::Kind::kRetry};
  EXPECT_EQ(RefusalReason(engine_->Change(*engine_->Find(last), retry, now_, fx_).status()),
            "AFTER_FAILED");
  Change(first, TaskAction::Kind::kRetry);
  const uint64_t again = Start(first);
  Change(last, TaskAction::Kind::kRetry);
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_SCHEDULED);
  End(again);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterTest, AnEndCountsOnceItIsOnDisk) {
  const std::string first = Spawn(kDurable);
  Persist();
  const std::string last = Spawn(After({first}));
  const uint64_t attempt = Start(first);
  End(attempt);
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_SCHEDULED);
  Persist();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterTest, WhatIsDeletedHasEnded) {
  const std::string first = Spawn();
  End(Start(first));
  const std::string last = Spawn(After({first}));
  Change(first, TaskAction::Kind::kDelete);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterTest, OneWaitsForHundreds) {
  std::vector<std::string> all(200);
  for (std::string& name : all) name = Spawn();
  const std::string last = Spawn(kSucceeded + After(all));
  for (const auto& name : all) Change(name, TaskAction::Kind::kCancel);
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_FAILED);
  EXPECT_EQ(ReasonOf(last), "AFTER_FAILED");
}

// --- Restarts

class AfterRecoveryTest : public AfterTest {
 protected:
  std::string SpawnDurable(const std::string& text = "") { return Spawn(kDurable + text); }
  void Restart(const std::string& config = "") {
    Make(config, 2);
    Recover(Disk());
    Up(0, 10, 2);
  }
};

TEST_F(AfterRecoveryTest, WhatItWaitsForIsFoundAgain) {
  const std::string first = SpawnDurable();
  const std::string last = SpawnDurable(After({first}));
  Persist();
  Persist();
  Restart();
  EXPECT_EQ(Get(last).wait().cause(), Cause::CAUSE_AFTER);
  End(Start(first));
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  Persist();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterRecoveryTest, OneThatHadEndedIsNotWaitedForAndOneThatIsGoneHasEnded) {
  const std::string ended = SpawnDurable(), gone = SpawnDurable(), other = SpawnDurable();
  const std::string last = SpawnDurable(kSucceeded + After({ended, gone, other}));
  Persist();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 3u);
  for (const auto& start : starts) {
    if (start.task() != other) End(start.attempt());
  }
  Persist();
  Change(gone, TaskAction::Kind::kDelete);
  Persist();
  Restart();
  EXPECT_EQ(Get(last).wait().subject(), other);
  EXPECT_EQ(Get(last).wait().used(), 2);
  End(Start(other));
  Persist();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
}

TEST_F(AfterRecoveryTest, OneThatHadFailedFailsItEvenIfNobodyHadSeenIt) {
  const std::string first = SpawnDurable();
  const std::string last = SpawnDurable(kSucceeded + After({first}));
  Persist();
  engine_->AttemptEnded(
      0,
      [&] {
        Outcome ended;
        ended.set_attempt(TakeOnlyStart());
        ended.set_outcome(Outcome::OUTCOME_FAILED);
        return ended;
      }(),
      now_, fx_);
  for (StoreWrite& write : fx_.writes) disk_.push_back(std::move(write));  // and control dies
  Restart();
  EXPECT_EQ(StateOf(first), v1::TASK_STATE_FAILED);
  Persist();
  EXPECT_EQ(StateOf(last), v1::TASK_STATE_FAILED);
  EXPECT_EQ(ReasonOf(last), "AFTER_FAILED");
}

TEST_F(AfterRecoveryTest, AVolatileOneThatWentWithControlHasEndedAndNotSucceeded) {
  const std::string lost = Spawn("delay { seconds: 60 }");
  const std::string anyway = SpawnDurable(After({lost}));
  const std::string doomed = SpawnDurable(kSucceeded + After({lost}));
  Persist();
  Restart();
  Persist();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(anyway));
  EXPECT_EQ(StateOf(doomed), v1::TASK_STATE_FAILED);
  EXPECT_THAT(Get(doomed).error().message(), HasSubstr("which is gone"));
  EXPECT_THAT(Get(doomed).spec().after(), ElementsAre(lost));
}

TEST_F(AfterRecoveryTest, AHandedOverOneIsWaitedForStill) {
  const std::string first = Spawn("delay { seconds: 60 }");
  const std::string durable = SpawnDurable(kSucceeded + After({first}));
  const std::string third = Spawn(kSucceeded + After({durable}));
  Persist();
  std::vector<StoredTask> kept = Disk();
  engine_->ForEachVolatile([&](const StoredTask& task) { kept.push_back(task); });
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  Make("", 2);
  Recover(kept);
  Up(0);
  EXPECT_EQ(Get(durable).wait().cause(), Cause::CAUSE_AFTER);
  Tick(60);
  End(Start(first));
  End(Start(durable));
  Persist();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(third));
}

TEST_F(AfterRecoveryTest, WhatHasRunOnceComesAfterNothing) {
  const std::string first = SpawnDurable();
  const std::string last = SpawnDurable("retry_policy { max_attempts: 2 } " + After({first}));
  Persist();
  End(TakeOnlyStart());
  Persist();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  Change(first, TaskAction::Kind::kRetry);
  Persist();
  Restart();
  TakeStarts();
  EXPECT_EQ(Get(last).wait().cause(), Cause::CAUSE_BACKOFF);
}

TEST_F(AfterRecoveryTest, NewIdsComeAfterThoseOfAnEarlierControl) {
  now_ += 3600 * kSecond;
  const std::string before = SpawnDurable();
  Persist();
  now_ -= 3600 * kSecond;  // the clock was set back between the two
  Restart();
  EXPECT_GT(Spawn(), before);
}

}  // namespace
}  // namespace grove::tasks
