#include "server/tasks/task_memory.h"

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"
#include "server/tasks/payloads.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TaskMemoryTest : public EngineTest {
 protected:
  static std::string WithInput(size_t bytes) {
    return "content_type: 'text/plain' input: '" + std::string(bytes, 'x') + "'";
  }
  std::string SpawnDurable(size_t input_bytes) {
    return Spawn("durability: DURABILITY_DURABLE " + WithInput(input_bytes));
  }
  bool NeedsStore(const std::string& name, v1::TaskView view) {
    return engine_->NeedsStore(*engine_->Find(name), view);
  }
  // A durable task that waits, its input in the store alone.
  std::string Waiting(size_t input_bytes) {
    Up(0, 0);
    std::string name = SpawnDurable(input_bytes);
    Persist();
    return name;
  }
  absl::Status FillUp(const std::string& text) {
    for (int i = 0; i < 10'000; ++i) {
      auto spawned = engine_->Spawn("", Spec(text), now_, fx_);
      if (!spawned.ok()) return spawned.status();
    }
    return absl::OkStatus();
  }
};

TEST_F(TaskMemoryTest, AnInputLeavesOnceItIsOnDisk) {
  Up(0, 0);
  const std::string name = SpawnDurable(1000);
  EXPECT_EQ(Get(name).spec().input().size(), 1000u);
  EXPECT_FALSE(NeedsStore(name, v1::TASK_VIEW_FULL));
  Persist();
  EXPECT_EQ(Get(name).spec().input(), "");
  EXPECT_EQ(Get(name).input_size_bytes(), 1000);
  EXPECT_TRUE(NeedsStore(name, v1::TASK_VIEW_FULL));
  EXPECT_FALSE(NeedsStore(name, v1::TASK_VIEW_OUTPUT));
  v1::Task task = Get(name);
  ASSERT_TRUE(FillPayload(Disk()[0], v1::TASK_VIEW_FULL, task));
  EXPECT_EQ(task.spec().input().size(), 1000u);
}

// A million tasks that wait are to take 300 MB at most: the record, malloc's header, and the two
// places in indices (12 and 26 bytes).
TEST_F(TaskMemoryTest, ARecordIsSmall) {
  EXPECT_LE(sizeof(Task), 240u);
  Up(0, 0);
  Spawn("durability: DURABILITY_DURABLE retry_policy { max_attempts: 5 }");
  Persist();
  EXPECT_LE(engine_->Counters(now_).memory_bytes, 300);
}

TEST_F(TaskMemoryTest, ARepeatedRequestIsKnownByAnInputThatHasLeft) {
  Up(0, 0);
  const std::string request = "request_id: 'r' durability: DURABILITY_DURABLE ";
  const std::string name = Spawn(request + WithInput(1000));
  Persist();
  EXPECT_EQ(Get(name).spec().input(), "");
  EXPECT_EQ(engine_->Spawn("", Spec(request + WithInput(1000)), now_, fx_)->name, name);
  EXPECT_EQ(RefusalReason(engine_->Spawn("", Spec(request + WithInput(1001)), now_, fx_).status()),
            "REQUEST_ID_REUSED");
}

TEST_F(TaskMemoryTest, AStartReadsNoLongInput) {
  Up(0, 0);
  const std::string request = "request_id: 'r' durability: DURABILITY_DURABLE ";
  const std::string name = Spawn(request + WithInput(1000));
  Persist();
  std::vector<StoredTask> stored = Disk();
  EXPECT_EQ(std::exchange(stored[0].input, "").size(), 1000u) << "as Load() leaves it out";
  Make("", 2);
  EXPECT_EQ(Recover(stored).restored, 1);
  EXPECT_EQ(Get(name).input_size_bytes(), 1000);
  EXPECT_TRUE(NeedsStore(name, v1::TASK_VIEW_FULL));
  Up(0);
  EXPECT_EQ(engine_->Spawn("", Spec(request + WithInput(1000)), now_, fx_)->name, name);
  EXPECT_EQ(RefusalReason(engine_->Spawn("", Spec(request + WithInput(999)), now_, fx_).status()),
            "REQUEST_ID_REUSED");
  Load();
  EXPECT_EQ(TakeStarts()[0].input().size(), 1000u);
}

TEST_F(TaskMemoryTest, AShortInputStays) {
  const std::string name = Waiting(kInlinePayloadBytesMax);
  EXPECT_FALSE(NeedsStore(name, v1::TASK_VIEW_FULL));
}

TEST_F(TaskMemoryTest, WhereManyWaitAShortInputLeavesToo) {
  EngineOptions options;
  FillTasks(options.tasks);
  // Each check would look at all of them.
  options.self_check = SelfCheck::kNever;
  engine_ = std::make_unique<TaskEngine>(directory_.get(), options);
  Up(0, 0);
  for (int64_t i = 0; i + 1 < kInlineWaitingMax; ++i) Spawn();
  const std::string before = SpawnDurable(100);
  Persist();
  EXPECT_FALSE(NeedsStore(before, v1::TASK_VIEW_FULL));
  const std::string in_place = SpawnDurable(15);
  const std::string beyond = SpawnDurable(100);
  Persist();
  EXPECT_FALSE(NeedsStore(in_place, v1::TASK_VIEW_FULL));
  EXPECT_TRUE(NeedsStore(beyond, v1::TASK_VIEW_FULL));
  EXPECT_EQ(Get(beyond).input_size_bytes(), 100);
  const std::string request = "request_id: 'r' durability: DURABILITY_DURABLE ";
  const std::string named = Spawn(request + WithInput(100));
  Persist();
  EXPECT_TRUE(NeedsStore(named, v1::TASK_VIEW_FULL));
  EXPECT_EQ(Spawn(request + WithInput(100)), named);
  EXPECT_EQ(RefusalReason(Refused(request + WithInput(99))), "REQUEST_ID_REUSED");
}

TEST_F(TaskMemoryTest, AVolatilePayloadStays) {
  Up(0, 0);
  const std::string name = Spawn(WithInput(1000));
  Tick(), Tick();
  EXPECT_EQ(Get(name).spec().input().size(), 1000u);
}

TEST_F(TaskMemoryTest, AnInputThatStartsAtOnceIsNotReadAgain) {
  Up(0);
  SpawnDurable(1000);
  Persist();
  EXPECT_THAT(fx_.loads, IsEmpty());
  EXPECT_EQ(TakeStarts()[0].input().size(), 1000u);
}

TEST_F(TaskMemoryTest, AWaitingTaskStartsWithTheInputThatTheStoreGives) {
  const std::string name = Waiting(1000);
  Up(0);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_THAT(TakeStarts(), IsEmpty());
  EXPECT_THAT(fx_.loads, ElementsAre(*engine_->Find(name)));
  Load();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].input().size(), 1000u);
  End(starts[0].attempt());
  Persist();
  EXPECT_TRUE(HasEnded(name));
}

TEST_F(TaskMemoryTest, AnOutputStaysUntilItsWaitersWereTold) {
  Up(0);
  const std::string name = SpawnDurable(1);
  Persist();
  End(TakeOnlyStart(), Outcome::OUTCOME_SUCCEEDED, 0, std::string(1000, 'y'));
  Persist();
  ASSERT_TRUE(HasEnded(name));
  EXPECT_EQ(Get(name).output().size(), 1000u);
  EXPECT_EQ(engine_->NextDeadline(), now_) << "it is to go";
  Tick();
  EXPECT_EQ(Get(name).output(), "");
  EXPECT_TRUE(NeedsStore(name, v1::TASK_VIEW_OUTPUT));
  EXPECT_GT(engine_->NextDeadline(), now_);
}

TEST_F(TaskMemoryTest, CancellingWhileItIsReadGivesTheRoomBack) {
  const std::string name = Waiting(1000);
  Up(0, 1);
  ASSERT_TRUE(engine_->Cancel(name, "", now_, fx_).ok());
  EXPECT_EQ(engine_->attempts_running(), 0);
  EXPECT_THAT(TakeCancels(), IsEmpty()) << "the worker has not heard of it";
  Load();
  EXPECT_THAT(TakeStarts(), IsEmpty());
}

TEST_F(TaskMemoryTest, AReadThatFailsIsTriedAgain) {
  const std::string name = Waiting(1000);
  Up(0);
  const std::vector<TaskId> asked = std::exchange(fx_.loads, {});
  engine_->Loaded(asked, absl::UnavailableError("disk on fire"), now_, fx_);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  Tick(1);
  EXPECT_THAT(fx_.loads, ElementsAre(asked[0]));
  Load();
  EXPECT_EQ(TakeStarts().size(), 1u);
}

TEST_F(TaskMemoryTest, ATaskWhoseRecordIsGoneFails) {
  const std::string name = Waiting(1000);
  Up(0);
  engine_->Loaded(std::exchange(fx_.loads, {}), std::vector<StoredTask>(), now_, fx_);
  Persist();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_FAILED);
  EXPECT_EQ(Get(name).error().code(), static_cast<int>(absl::StatusCode::kDataLoss));
}

TEST_F(TaskMemoryTest, AWorkerThatDiesWhileItIsReadCostsNothing) {
  const std::string name = Waiting(1000);
  Up(0);
  engine_->WorkerDown(0, now_, fx_);
  Up(0, 10, 2);
  EXPECT_EQ(fx_.loads.size(), 2u);
  Load();
  EXPECT_EQ(TakeStartedNames(), std::vector<std::string>{name});
}

TEST_F(TaskMemoryTest, SpawnsAreRefusedBeyondTheBudget) {
  Make("tasks { memory_max_bytes: 1048576 }");
  Up(0, 0);
  const absl::Status refused = FillUp(WithInput(50'000));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RefusalReason(refused), "TASK_MEMORY_FULL");
  EXPECT_GT(Queue().queued(), 15);
  EXPECT_LT(Queue().queued(), 21);
}

TEST_F(TaskMemoryTest, RecordsAndLabelsCountToo) {
  Make("tasks { memory_max_bytes: 1048576 }");
  Up(0, 0);
  EXPECT_EQ(RefusalReason(FillUp("labels { key: 'k' value: '" + std::string(255, 'v') + "' }")),
            "TASK_MEMORY_FULL");
  EXPECT_LT(Queue().queued(), 1'500);
}

// What waits for the disk is memory; what is there is not.
TEST_F(TaskMemoryTest, DurableInputsCountUntilTheyAreOnDisk) {
  Make("tasks { memory_max_bytes: 1048576 }");
  Up(0, 0);
  const std::string text = "durability: DURABILITY_DURABLE " + WithInput(50'000);
  EXPECT_EQ(RefusalReason(FillUp(text)), "TASK_MEMORY_FULL");
  const int64_t first = Queue().queued();
  EXPECT_LT(first, 11);
  Persist();
  EXPECT_EQ(RefusalReason(FillUp(text)), "TASK_MEMORY_FULL");
  EXPECT_GT(Queue().queued(), first + 5);
}

TEST_F(TaskMemoryTest, EndedVolatileTasksLeaveEarlyWhenMemoryIsShort) {
  Make("tasks { memory_max_bytes: 1048576 }");
  Up(0);
  std::vector<std::string> names;
  names.reserve(9);
  for (int i = 0; i < 9; ++i) {
    names.push_back(Spawn());
    Tick();
    End(TakeOnlyStart(), Outcome::OUTCOME_SUCCEEDED, 0, std::string(100'000, 'y'));
  }
  Tick(), Tick();
  EXPECT_FALSE(engine_->Find(names[0]).ok());
  EXPECT_FALSE(engine_->Find(names[1]).ok());
  EXPECT_TRUE(engine_->Find(names[2]).ok());
}

// Nor is a request_id forgotten while its task is promised to be there.
TEST_F(TaskMemoryTest, NoVolatileTaskDrivesADurableOneOut) {
  Make("tasks { memory_max_bytes: 1048576 }");
  Up(0);
  const std::string kept = Spawn("durability: DURABILITY_DURABLE request_id: 'r'");
  Persist();
  End(TakeOnlyStart());
  Persist();
  for (int i = 0; i < 20; ++i) {
    Spawn();
    Tick();
    End(TakeOnlyStart(), Outcome::OUTCOME_SUCCEEDED, 0, std::string(100'000, 'y'));
  }
  Tick(), Tick();
  EXPECT_EQ(Spawn("durability: DURABILITY_DURABLE request_id: 'r'"), kept);
}

// What fills the memory otherwise leaves results their share.
TEST_F(TaskMemoryTest, ResultsKeepAShareBesideABacklog) {
  Make("tasks { memory_max_bytes: 1048576 }");
  Up(0, 1);
  const std::string first = Spawn();
  EXPECT_EQ(RefusalReason(FillUp(WithInput(40'000))), "TASK_MEMORY_FULL");
  Tick();
  End(TakeOnlyStart(), Outcome::OUTCOME_SUCCEEDED, 0, std::string(100'000, 'y'));
  Tick(), Tick();
  EXPECT_TRUE(engine_->Find(first).ok());
}

// Outputs on their way to the disk are no reason to forget older tasks.
TEST_F(TaskMemoryTest, WhatIsAboutToLeaveDrivesNothingOut) {
  Make("tasks { memory_max_bytes: 2097152 }");
  Up(0);
  const std::string first = SpawnDurable(1);
  for (int i = 0; i < 8; ++i) SpawnDurable(1);
  Persist();
  for (const auto& start : TakeStarts()) {
    Outcome ended;
    ended.set_attempt(start.attempt());
    ended.set_outcome(Outcome::OUTCOME_SUCCEEDED);
    ended.set_output(std::string(200'000, 'y'));
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
  }
  Persist();
  Tick(), Tick();
  EXPECT_TRUE(engine_->Find(first).ok());
  EXPECT_LT(engine_->Counters(now_).memory_bytes, 50'000);
}

TEST_F(TaskMemoryTest, AWorkerIsGivenNoMoreThanItTakesIn) {
  Make("tasks { input_max_bytes: 30000000 }");
  Up(0);
  for (int i = 0; i < 3; ++i) Spawn(WithInput(20'000'000));
  Tick();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 2u);
  Begin(starts[0].attempt());
  Tick();
  EXPECT_EQ(TakeStarts().size(), 1u);
}

}  // namespace
}  // namespace grove::tasks
