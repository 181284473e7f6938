#include "server/tasks/evicted_tasks.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"
#include "server/tasks/retained_tasks.h"
#include "server/tasks/task_watch.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kDurable[] = "durability: DURABILITY_DURABLE ";

class EvictedTasksTest : public EngineTest {
 protected:
  void SetUp() override {
    // None stays for longer than it takes to tell of it.
    recent_ends_bytes_ = 0;
    EngineTest::SetUp();
    Up(0);
  }

  // Runs until its end is on disk and its waiters were told.
  std::string Run(const std::string& text = "",
                  Outcome::Outcome outcome = Outcome::OUTCOME_SUCCEEDED) {
    std::string name = Spawn(kDurable + text);
    Persist();
    Finish(outcome);
    return name;
  }
  void Finish(Outcome::Outcome outcome = Outcome::OUTCOME_SUCCEEDED) {
    const uint64_t attempt = TakeOnlyStart();
    Persist();
    End(attempt, outcome);
    Persist();
    for (int turns = 0; turns < 3; ++turns) Tick();
  }
  TaskId IdOf(const std::string& name) { return *engine_->Find(name); }
  bool IsEvicted(const std::string& name) { return engine_->IsEvicted(IdOf(name)); }
  // As the store answers a query for it.
  void Recall(const std::string& name) {
    for (const StoredTask& task : Disk()) {
      if (task.id == IdOf(name)) return engine_->Recall({task}, now_);
    }
    ADD_FAILURE() << name << " is not on disk";
  }
  v1::Task Show(const std::string& name) {
    return *engine_->Get(IdOf(name), v1::TASK_VIEW_BASIC, now_);
  }
  // What the next control finds.
  void Restart() {
    const std::vector<StoredTask> disk = Disk();
    Make("", 2);
    for (const StoredTask& task : disk) {
      if (task.progress.end_time_us == 0 || !task.progress.is_bare) engine_->Recover(task, now_);
    }
    for (const StoredTask& task : disk) {
      if (task.progress.end_time_us == 0 || !task.progress.is_bare) continue;
      engine_->RecoverEnded({.id = task.id,
                             .tenant = task.tenant,
                             .queue = task.queue,
                             .function = task.function,
                             .state = task.progress.end_state,
                             .end_time_us = task.progress.end_time_us,
                             .is_bare = true},
                            now_);
    }
    engine_->EndRecovery(now_);
    Up(0, 10, 2);
  }
};

TEST_F(EvictedTasksTest, LeavesOnceItsEndIsOnDiskAndTold) {
  const std::string name = Spawn(kDurable);
  Persist();
  const uint64_t attempt = TakeOnlyStart();
  Persist();
  End(attempt);
  for (int turns = 0; turns < 3; ++turns) Tick();
  EXPECT_FALSE(IsEvicted(name)) << "nobody may know of the end";
  Persist();
  EXPECT_FALSE(IsEvicted(name)) << "whoever waits for it is being told";
  EXPECT_EQ(Show(name).state(), v1::TASK_STATE_SUCCEEDED);
  for (int turns = 0; turns < 3; ++turns) Tick();
  EXPECT_TRUE(IsEvicted(name));
  EXPECT_TRUE(engine_->IsSettled(IdOf(name)));
  EXPECT_EQ(engine_->EndOf(IdOf(name)), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(engine_->NameOf(IdOf(name)), name);
  EXPECT_TRUE(absl::IsDataLoss(engine_->Get(IdOf(name), v1::TASK_VIEW_BASIC, now_).status()));
}

TEST_F(EvictedTasksTest, WhatIsVolatileStays) {
  const std::string name = Spawn();
  Tick();
  End(TakeOnlyStart());
  for (int turns = 0; turns < 3; ++turns) Tick();
  EXPECT_FALSE(IsEvicted(name));
}

TEST_F(EvictedTasksTest, TakesFewBytes) {
  std::vector<std::string> names;
  names.reserve(100);
  for (int i = 0; i < 100; ++i) names.push_back(Run());
  EXPECT_LE(engine_->Counters(now_).memory_bytes, 100 * kEvictedBytes);
  EXPECT_LE(sizeof(std::pair<const TaskId, EvictedTask>) + sizeof(RetainedEnd), 72u);
  EXPECT_EQ(engine_->Counters(now_).tasks_held, 100);
}

TEST_F(EvictedTasksTest, IsItselfWhenItIsRecalledAndLeavesAgain) {
  const std::string name = Run("labels { key: 'a' value: 'b' }", Outcome::OUTCOME_FAILED);
  Recall(name);
  EXPECT_FALSE(IsEvicted(name));
  const v1::Task shown = Show(name);
  EXPECT_EQ(shown.state(), v1::TASK_STATE_FAILED);
  EXPECT_EQ(shown.attempts_size(), 1);
  EXPECT_EQ(shown.spec().labels().at("a"), "b");
  for (int turns = 0; turns < 3; ++turns) Tick();
  EXPECT_TRUE(IsEvicted(name));
}

TEST_F(EvictedTasksTest, StaysAsLongAsSomebodyHoldsIt) {
  const std::string name = Run();
  const uint64_t hold = engine_->HoldRecalled();
  Recall(name);
  for (int turns = 0; turns < 5; ++turns) Tick();
  EXPECT_FALSE(IsEvicted(name));
  engine_->ReleaseRecalled(hold);
  EXPECT_EQ(engine_->NextDeadline(), now_);
  Tick();
  EXPECT_TRUE(IsEvicted(name));
}

TEST_F(EvictedTasksTest, WhatEndsWhileAPageIsReadStaysUntilItIsThere) {
  const std::string before = Run();
  const uint64_t hold = engine_->HoldRecalled();
  const std::string name = Run();
  for (int turns = 0; turns < 5; ++turns) Tick();
  EXPECT_FALSE(IsEvicted(name)) << "the page may be older than its end";
  // Another that began later hinders nobody.
  const uint64_t later = engine_->HoldRecalled();
  engine_->ReleaseRecalled(hold);
  Tick();
  EXPECT_TRUE(IsEvicted(name));
  engine_->ReleaseRecalled(later);
}

TEST_F(EvictedTasksTest, WhatIsRecalledTwiceStaysForTheSecondToo) {
  const std::string name = Run();
  Recall(name);
  Tick();
  const uint64_t hold = engine_->HoldRecalled();
  engine_->KeepRecalled(IdOf(name));
  for (int turns = 0; turns < 5; ++turns) Tick();
  EXPECT_FALSE(IsEvicted(name));
  engine_->ReleaseRecalled(hold);
  Tick();
  EXPECT_TRUE(IsEvicted(name));
}

TEST_F(EvictedTasksTest, RecentOnesStayWhileThereIsRoom) {
  recent_ends_bytes_ = 2000;
  Make("");
  Up(0);
  const std::string first = Run();
  for (int turns = 0; turns < 3; ++turns) Tick();
  EXPECT_FALSE(IsEvicted(first));
  EXPECT_NE(engine_->NextDeadline(), now_) << "there is nothing to do";
  std::string last;
  for (int i = 0; i < 10; ++i) last = Run();
  EXPECT_TRUE(IsEvicted(first));
  EXPECT_FALSE(IsEvicted(last));
}

TEST_F(EvictedTasksTest, ARecordThatIsNotItsOwnIsNotTaken) {
  const std::string name = Run();
  StoredTask other = Disk().front();
  other.progress.task = "\xff";
  engine_->Recall({other}, now_);
  EXPECT_TRUE(IsEvicted(name));
}

TEST_F(EvictedTasksTest, IsCountedAsBefore) {
  Run();
  Run("", Outcome::OUTCOME_FAILED);
  EXPECT_EQ(Queue().ended(), 2);
  EXPECT_EQ(Queue().dead_letters(), 1);
  const auto query = engine_->Query("tenants/default/queues/default", {});
  TaskCounts counts{};
  TaskCursor cursor;
  EXPECT_FALSE(engine_->CountSome(*query, cursor, counts));
  EXPECT_EQ(counts[v1::TASK_STATE_SUCCEEDED], 1);
  EXPECT_EQ(counts[v1::TASK_STATE_FAILED], 1);
}

TEST_F(EvictedTasksTest, IsTriedAgainOnceItIsRecalled) {
  const std::string name = Run("", Outcome::OUTCOME_FAILED);
  Recall(name);
  EXPECT_TRUE(*engine_->Change(IdOf(name), {.kind = TaskAction::Kind::kRetry}, now_, fx_));
  Persist();
  Finish();
  EXPECT_TRUE(IsEvicted(name));
  EXPECT_EQ(engine_->EndOf(IdOf(name)), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(Queue().dead_letters(), 0);
}

TEST_F(EvictedTasksTest, ACancellationLeavesItAsItIs) {
  const std::string name = Run();
  EXPECT_TRUE(engine_->Cancel(name, "", now_, fx_).ok());
  EXPECT_THAT(fx_.writes, IsEmpty());
}

TEST_F(EvictedTasksTest, GoesWhenItsRetentionIsOver) {
  Make("tasks { retention_ms: 60000 }");
  Up(0);
  const std::string name = Run();
  Tick(61);
  EXPECT_TRUE(absl::IsNotFound(engine_->Find(name).status()));
  ASSERT_EQ(fx_.writes.size(), 1u);
  EXPECT_EQ(fx_.writes[0].kind, StoreWrite::Kind::kDelete);
  EXPECT_EQ(engine_->Counters(now_).memory_bytes, 0);
}

TEST_F(EvictedTasksTest, AnswersASpawnThatIsRepeated) {
  const std::string text = std::string(kDurable) + "request_id: 'r' input: '[1]'";
  const std::string name = Run("request_id: 'r' input: '[1]'");
  EXPECT_EQ(Spawn(text), name);
  EXPECT_EQ(RefusalReason(Refused(std::string(kDurable) + "request_id: 'r' input: '[2]'")),
            "REQUEST_ID_REUSED");
  Recall(name);
  EXPECT_EQ(Spawn(text), name);
  for (int turns = 0; turns < 3; ++turns) Tick();
  EXPECT_EQ(Spawn(text), name);
  Restart();
  EXPECT_EQ(Spawn(text), name);
}

TEST_F(EvictedTasksTest, OthersComeAfterIt) {
  const std::string good = Run();
  const std::string bad = Run("", Outcome::OUTCOME_FAILED);
  Spawn("after: '" + good + "' after_condition: AFTER_CONDITION_SUCCEEDED");
  Tick();
  EXPECT_EQ(TakeStarts().size(), 1u);
  const std::string doomed =
      Spawn("after: '" + bad + "' after_condition: AFTER_CONDITION_SUCCEEDED");
  Tick();
  EXPECT_EQ(StateOf(doomed), v1::TASK_STATE_FAILED);
}

TEST_F(EvictedTasksTest, ARestartTakesNoRecordOfIt) {
  const std::string name = Run();
  const std::string bad = Run("", Outcome::OUTCOME_FAILED);
  Restart();
  EXPECT_TRUE(IsEvicted(name));
  EXPECT_EQ(engine_->EndOf(IdOf(bad)), v1::TASK_STATE_FAILED);
  EXPECT_EQ(Queue().ended(), 2);
  Recall(name);
  EXPECT_EQ(Show(name).state(), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(EvictedTasksTest, AListGoesAsFarAsWhatIsRecalled) {
  std::vector<std::string> names;
  names.reserve(3);
  for (int i = 0; i < 3; ++i) names.push_back(Run());
  const std::string live = Spawn();
  const auto recall = engine_->RecallForList({});
  ASSERT_TRUE(recall->query.has_value());
  EXPECT_EQ(recall->query->tenant, "default");
  EXPECT_EQ(recall->query->order, EndedQuery::Order::kLastCreated);
  Recall(names[2]);
  const EndedPosition horizon{.id = IdOf(names[2])};
  const auto first = engine_->ListTasks({}, now_, Audience::kOperators, horizon);
  ASSERT_EQ(first->tasks_size(), 2);
  EXPECT_EQ(first->tasks(0).name(), live);
  EXPECT_EQ(first->tasks(1).name(), names[2]);
  v1::ListTasksRequest next;
  next.set_page_token(first->next_page_token());
  const auto rest = engine_->RecallForList(next);
  EXPECT_EQ(rest->query->after->id, IdOf(names[2]));
  Recall(names[0]);
  Recall(names[1]);
  const auto second = engine_->ListTasks(next, now_);
  ASSERT_EQ(second->tasks_size(), 2);
  EXPECT_EQ(second->tasks(0).name(), names[1]);
  EXPECT_EQ(second->next_page_token(), "");
}

TEST_F(EvictedTasksTest, AListOfWhatLivesRecallsNothing) {
  Run();
  v1::ListTasksRequest request;
  request.mutable_filter()->add_states(v1::TASK_STATE_QUEUED);
  EXPECT_FALSE(engine_->RecallForList(request)->query.has_value());
}

TEST_F(EvictedTasksTest, AListByEndMergesWhatIsRecalled) {
  const std::string first = Run();
  Tick(1);
  const std::string second = Spawn();
  Tick();
  End(TakeOnlyStart());
  Tick(1);
  const std::string third = Run();
  v1::ListTasksRequest request;
  request.set_order_by("end_time");
  Recall(third);
  Recall(first);
  const auto listed = engine_->ListTasks(request, now_);
  ASSERT_EQ(listed->tasks_size(), 3);
  EXPECT_EQ(listed->tasks(0).name(), first);
  EXPECT_EQ(listed->tasks(1).name(), second);
  EXPECT_EQ(listed->tasks(2).name(), third);
}

TEST_F(EvictedTasksTest, PagesByEndGoOnWithinAnInstant) {
  std::vector<std::string> names;
  names.reserve(4);
  for (int i = 0; i < 4; ++i) names.push_back(Spawn(i == 1 ? kDurable : ""));
  Persist();
  std::vector<uint64_t> attempts;
  for (const auto& start : TakeStarts()) attempts.push_back(start.attempt());
  ASSERT_EQ(attempts.size(), 4u);
  // In another order than that of their ids.
  for (const int i : {2, 0, 1, 3}) End(attempts[i]);
  Persist();
  for (int turns = 0; turns < 3; ++turns) Tick();
  ASSERT_TRUE(IsEvicted(names[1]));
  for (const char* order : {"end_time", "end_time desc"}) {
    v1::ListTasksRequest request;
    request.set_order_by(order);
    request.set_page_size(1);
    std::vector<std::string> listed;
    for (int pages = 0; pages < 8; ++pages) {
      Recall(names[1]);
      const auto page = engine_->ListTasks(request, now_);
      for (const v1::Task& task : page->tasks()) listed.push_back(task.name());
      request.set_page_token(page->next_page_token());
      if (page->next_page_token().empty()) break;
    }
    std::vector<std::string> expected = names;
    std::sort(expected.begin(), expected.end());
    if (std::string(order) != "end_time") std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(listed, expected) << order;
  }
}

TEST_F(EvictedTasksTest, NamesAreRecalledByThemselves) {
  const std::string name = Run();
  Run();
  v1::ListTasksRequest request;
  request.mutable_filter()->add_names(name);
  const auto recall = engine_->RecallForList(request);
  EXPECT_FALSE(recall->query.has_value());
  EXPECT_THAT(recall->tasks, ElementsAre(IdOf(name)));
}

TEST_F(EvictedTasksTest, ASearchGoesNoFurtherThanWhatIsRecalled) {
  const std::string first = Run();
  const std::string second = Run();
  const auto query = engine_->Query("tenants/default", {});
  TaskCursor cursor;
  std::vector<TaskId> found;
  EXPECT_TRUE(engine_->FindSome(*query, cursor, found));
  EXPECT_THAT(found, IsEmpty());
  ASSERT_TRUE(engine_->EndedFor(*query, cursor).has_value());
  Recall(first);
  PassRecalled(EndedPosition{.id = IdOf(first)}, cursor);
  EXPECT_FALSE(engine_->EndedFor(*query, cursor).has_value());
  EXPECT_TRUE(engine_->FindSome(*query, cursor, found));
  EXPECT_THAT(found, ElementsAre(IdOf(first)));
  ASSERT_TRUE(engine_->EndedFor(*query, cursor).has_value());
  EXPECT_EQ(engine_->EndedFor(*query, cursor)->after->id, IdOf(first));
  Recall(second);
  PassRecalled(std::nullopt, cursor);
  EXPECT_FALSE(engine_->FindSome(*query, cursor, found));
  EXPECT_THAT(found, ElementsAre(IdOf(first), IdOf(second)));
}

TEST_F(EvictedTasksTest, AWatchAsksForWhatItIsToTell) {
  v1::WatchTasksRequest request;
  request.set_with_existing(true);
  const std::string name = Run();
  auto watch = *engine_->Watch(request, Audience::kOperators, now_);
  v1::WatchTasksResponse message;
  ASSERT_EQ(watch->Next(now_, message), TaskWatch::Step::kRecall);
  ASSERT_TRUE(watch->wanted().query.has_value());
  Recall(name);
  watch->Recalled(std::nullopt);
  ASSERT_EQ(watch->Next(now_, message), TaskWatch::Step::kMessage);
  EXPECT_EQ(message.events(0).existing().name(), name);
  const std::string later = Run();
  ASSERT_EQ(watch->Next(now_, message), TaskWatch::Step::kRecall);
  EXPECT_THAT(watch->wanted().tasks, ElementsAre(IdOf(later)));
  Recall(later);
  watch->Recalled(std::nullopt);
  ASSERT_EQ(watch->Next(now_, message), TaskWatch::Step::kMessage);
  EXPECT_EQ(message.events(0).changed().state(), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(EvictedTasksTest, KeepsItsPayloadsUntilItsRetentionIsOver) {
  Make("tasks { retention_ms: 60000 }");
  Up(0);
  const TaskId id{1, 2};
  payloads_.Add({.tenant = "default", .id = id, .size_bytes = 5, .create_us = now_});
  const std::string payload = "tenants/default/payloads/" + id.ToString();
  const std::string name = Run("input_payload: '" + payload + "'");
  ASSERT_TRUE(IsEvicted(name));
  EXPECT_EQ(payloads_.Find(payload)->tasks, 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(payloads_.Remove(payload)));
  Recall(name);
  EXPECT_EQ(payloads_.Find(payload)->tasks, 1) << "it holds it once";
  // A start reads its record: the index does not name payloads.
  for (const StoredTask& task : Disk()) EXPECT_FALSE(task.progress.is_bare);
  for (int turns = 0; turns < 3; ++turns) Tick();
  ASSERT_TRUE(IsEvicted(name));
  Tick(61);
  EXPECT_EQ(payloads_.Find(payload)->tasks, 0);
}

TEST_F(EvictedTasksTest, GoesWithItsTenant) {
  const std::string name = Run();
  TaskId after;
  while (!engine_->SweepTenant(0, TenantSweep::kDropEnded, after, now_, fx_)) {
  }
  EXPECT_TRUE(engine_->IsUnused(0));
}

}  // namespace
}  // namespace grove::tasks
