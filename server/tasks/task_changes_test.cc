#include "server/tasks/task_changes.h"

#include <map>
#include <utility>

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = TaskAction::Kind;

class TaskChangesTest : public EngineTest {
 protected:
  absl::StatusOr<bool> Do(const std::string& name, const TaskAction& action) {
    const auto id = engine_->Find(name);
    if (!id.ok()) return id.status();
    if (engine_->IsEvicted(*id)) RecallAll();
    // A dry run says what then happens.
    const auto would = engine_->WouldChange(*id, action);
    auto changed = engine_->Change(*id, action, now_, fx_);
    EXPECT_EQ(would.status().message(), changed.status().message());
    if (would.ok() && changed.ok()) {
      EXPECT_EQ(*would, *changed);
    }
    Tick();
    return changed;
  }
  // Whether it changed something; dies of a refusal.
  bool Does(const std::string& name, Kind kind, const std::string& reason = "") {
    auto changed = Do(name, {.kind = kind, .reason = reason});
    EXPECT_TRUE(changed.ok()) << changed.status();
    return changed.ok() && *changed;
  }
  std::string Why(const std::string& name, const TaskAction& action) {
    return RefusalReason(Do(name, action).status());
  }
  static absl::StatusOr<TaskAction> Update(const std::string& spec,
                                           const std::vector<std::string>& paths) {
    v1::TaskSpec parsed;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(spec, &parsed)) << spec;
    google::protobuf::FieldMask mask;
    for (const std::string& path : paths) mask.add_paths(path);
    return UpdateAction(parsed, mask);
  }
  // The store has all; another control starts with it, on the same daemon's workers.
  void Restart() {
    Persist();
    const std::vector<StoredTask> disk = Disk();
    std::map<std::string, std::string> queues;  // what was said of each, last
    for (const StoreWrite& write : disk_) {
      if (write.kind == StoreWrite::Kind::kQueue) {
        queues[write.task.queue] = write.task.progress.task;
      }
    }
    engine_.reset();
    Make(config_, ++starts_);
    for (const auto& [queue, settings] : queues) {
      if (!settings.empty()) engine_->RecoverQueue({"default", queue, settings});
    }
    Recover(disk);
  }
  void Use(const std::string& config) {
    config_ = config;
    Make(config);
  }

  std::string config_;
  uint64_t starts_ = 1;
};

constexpr char kDurable[] = "durability: DURABILITY_DURABLE";

TEST_F(TaskChangesTest, APausedTaskDoesNotStartAndLetsOthersPass) {
  Up(0, 1);
  const std::string runs = Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  const std::string a = Spawn(), b = Spawn();
  EXPECT_TRUE(Does(a, Kind::kPause, "look first"));
  EXPECT_FALSE(Does(a, Kind::kPause)) << "it is paused already";
  EXPECT_TRUE(Get(a).paused());
  EXPECT_EQ(Get(a).pause_reason(), "look first");
  EXPECT_EQ(Queue().queued(), 2) << "it still takes room in its queue";
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(b));
  EXPECT_TRUE(Does(a, Kind::kResume));
  EXPECT_FALSE(Get(a).paused());
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(Why(runs, {.kind = Kind::kPause}), "TASK_ENDED");
  EXPECT_EQ(Why(runs, {.kind = Kind::kResume}), "TASK_ENDED");
}

TEST_F(TaskChangesTest, APauseHoldsForEveryLaterAttempt) {
  Up(0);
  const std::string delayed = Spawn("delay { seconds: 5 }");
  const std::string running = Spawn("retry_policy { max_attempts: 2 }");
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  EXPECT_TRUE(Does(delayed, Kind::kPause));
  EXPECT_TRUE(Does(running, Kind::kPause));
  End(attempt, Outcome::OUTCOME_FAILED);
  Tick(100);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(StateOf(delayed), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(StateOf(running), v1::TASK_STATE_QUEUED);
  EXPECT_TRUE(Does(running, Kind::kResume));
  EXPECT_TRUE(Does(delayed, Kind::kResume));
  EXPECT_THAT(TakeStartedNames(), ElementsAre(running, delayed));
}

TEST_F(TaskChangesTest, ATaskThatIsNotOnDiskYetCanBePaused) {
  Up(0);
  const std::string a = Spawn(kDurable);
  EXPECT_TRUE(Does(a, Kind::kPause));
  Persist();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_TRUE(Does(a, Kind::kResume));
  EXPECT_THAT(TakeStartedNames(), ElementsAre(a));
}

TEST_F(TaskChangesTest, APausedTaskCanBeCancelled) {
  Up(0, 0);
  const std::string a = Spawn();
  Does(a, Kind::kPause);
  EXPECT_TRUE(Does(a, Kind::kCancel, "no"));
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_CANCELLED);
  EXPECT_FALSE(Does(a, Kind::kCancel));
}

TEST_F(TaskChangesTest, RetryRunsAnEndedTaskAgainUnderItsName) {
  Up(0);
  const std::string a = Spawn("request_id: 'r' retry_policy { max_attempts: 1 }");
  Tick();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_FAILED);
  EXPECT_TRUE(Does(a, Kind::kRetry));
  v1::Task task = Get(a);
  EXPECT_FALSE(task.has_error());
  EXPECT_FALSE(task.has_end_time());
  EXPECT_EQ(task.attempts_size(), 2) << "the first is remembered, the second runs";
  End(TakeOnlyStart());
  task = Get(a);
  EXPECT_EQ(task.state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(task.attempts(1).number(), 2);
  EXPECT_TRUE(Does(a, Kind::kRetry)) << "also what has succeeded";
  EXPECT_EQ(Get(a).output(), "");
  EXPECT_EQ(Why(a, {.kind = Kind::kRetry}), "TASK_NOT_ENDED") << "it runs";
  EXPECT_EQ(RefusalReason(Refused("request_id: 'r' input: '1'")), "REQUEST_ID_REUSED");
}

TEST_F(TaskChangesTest, RetryGivesAllAttemptsAgain) {
  Up(0);
  const std::string a = Spawn("retry_policy { max_attempts: 2 initial_backoff { seconds: 1 } }");
  for (int i = 0; i < 2; ++i) {
    Tick(2);
    End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  }
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_FAILED);
  EXPECT_TRUE(Does(a, Kind::kRetry));
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_SCHEDULED);
  EXPECT_TRUE(Does(a, Kind::kRetry)) << "it need not wait for its back-off";
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_RUNNING);
}

TEST_F(TaskChangesTest, RetryNeedsRoomAndAnEndOnDisk) {
  Use("tenants { name: 'default' queues { name: 'default' depth_max: 1 } }");
  Up(0, 1);
  const std::string a = Spawn(kDurable);
  Persist();
  End(TakeOnlyStart());
  EXPECT_EQ(Why(a, {.kind = Kind::kRetry}), "TASK_END_NOT_STORED");
  EXPECT_EQ(Why(a, {.kind = Kind::kDelete}), "TASK_END_NOT_STORED");
  Persist();
  engine_->WorkerDraining(0);
  const std::string waiting = Spawn();
  const absl::Status full = Do(a, {.kind = Kind::kRetry}).status();
  EXPECT_EQ(RefusalReason(full), "QUEUE_FULL");
  EXPECT_TRUE(full.GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
  EXPECT_TRUE(full.GetPayload("type.googleapis.com/google.rpc.QuotaFailure").has_value());
  Does(waiting, Kind::kCancel);
  EXPECT_TRUE(Does(a, Kind::kRetry));
}

TEST_F(TaskChangesTest, DeleteForgetsAnEndedTask) {
  Up(0);
  const std::string a = Spawn(std::string("request_id: 'r' ") + kDurable);
  EXPECT_EQ(Why(a, {.kind = Kind::kDelete}), "TASK_NOT_ENDED");
  Persist();
  End(TakeOnlyStart());
  Persist();
  EXPECT_TRUE(Does(a, Kind::kDelete));
  EXPECT_EQ(RefusalReason(engine_->Find(a).status()), "TASK_NOT_FOUND");
  Persist();
  EXPECT_THAT(Disk(), IsEmpty());
  EXPECT_NE(Spawn("request_id: 'r'"), a) << "the id is free again";
}

TEST_F(TaskChangesTest, ForceCancelGivesTheRoomBack) {
  Up(0, 1);
  const std::string a = Spawn(), b = Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  Begin(attempt);
  EXPECT_TRUE(Does(a, Kind::kForceCancel, "stuck"));
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_CANCELLED);
  EXPECT_THAT(Get(a).error().message(), HasSubstr("stuck"));
  EXPECT_THAT(TakeCancels(), ElementsAre(attempt));
  EXPECT_THAT(TakeStartedNames(), ElementsAre(b));
  // What the worker says of it later changes nothing.
  End(attempt);
  EXPECT_THAT(TakeAcknowledged(), ElementsAre(attempt));
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_CANCELLED);
  EXPECT_EQ(Pool().running(), 1);
}

TEST_F(TaskChangesTest, ForceCancelAlsoFreesWhatACancelLeftRunning) {
  Up(0, 1);
  const std::string a = Spawn(), b = Spawn();
  Tick();
  Begin(TakeOnlyStart());
  EXPECT_TRUE(Does(a, Kind::kCancel));
  EXPECT_THAT(TakeStartedNames(), IsEmpty()) << "the worker has not let go";
  EXPECT_TRUE(Does(a, Kind::kForceCancel));
  EXPECT_THAT(TakeStartedNames(), ElementsAre(b));
  EXPECT_FALSE(Does(a, Kind::kForceCancel)) << "there is nothing left";
}

TEST_F(TaskChangesTest, UpdateChangesPriorityLabelsAndStart) {
  Use("tenants { name: 'default' queues { name: 'default' order: ORDER_PRIORITY } }");
  Up(0, 0);
  const std::string a = Spawn(), b = Spawn("labels { key: 'k' value: 'v' }");
  EXPECT_EQ(*Do(b, *Update("priority: 5", {"spec.priority"})), true);
  EXPECT_EQ(*Do(b, *Update("priority: 5", {"spec.priority"})), false);
  EXPECT_EQ(Get(b).spec().labels().size(), 1u) << "not in the mask";
  EXPECT_EQ(*Do(b, *Update("", {"spec.labels"})), true);
  EXPECT_EQ(Get(b).spec().labels().size(), 0u);
  EXPECT_EQ(*Do(a, *Update("delay { seconds: 60 }", {"spec.delay"})), true);
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_SCHEDULED);
  Tick(60);
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_QUEUED);
  const std::string at = std::to_string(now_ / kSecond + 5);
  EXPECT_EQ(*Do(a, *Update("start_time { seconds: " + at + " }", {"spec.start_time"})), true);
  EXPECT_EQ(*Do(a, *Update("start_time { seconds: 1 }", {"spec.start_time"})), true);
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_QUEUED) << "what is over is now";
  Up(0, 1, 2);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(b));
  EXPECT_EQ(Why(b, *Update("delay { seconds: 60 }", {"spec.delay"})), "TASK_RUNNING");
}

TEST_F(TaskChangesTest, UpdateRefusesWhatCannotBe) {
  Up(0);
  const auto why = [](const std::string& spec, const std::vector<std::string>& paths) {
    return RefusalReason(Update(spec, paths).status());
  };
  EXPECT_EQ(why("", {}), "FIELD_MASK_INVALID");
  EXPECT_EQ(why("", {"spec.function"}), "FIELD_MASK_INVALID");
  EXPECT_EQ(why("priority: 10", {"spec.priority"}), "PRIORITY_OUT_OF_RANGE");
  EXPECT_EQ(why("delay { seconds: -1 }", {"spec.delay"}), "NEGATIVE_DELAY");
  EXPECT_EQ(why("labels { key: '' value: 'x' }", {"spec.labels"}), "LABEL_KEY_INVALID");
  EXPECT_EQ(why("start_time { seconds: -5 }", {"spec.start_time"}), "START_TIME_INVALID");
  EXPECT_EQ(why("limit_keys: 'a b'", {"spec.limit_keys"}), "LIMIT_KEY_INVALID");
  EXPECT_EQ(why("limit_keys: ['a', 'b', 'c']", {"spec.limit_keys"}), "TOO_MANY_LIMIT_KEYS");
  EXPECT_EQ(why("delay {} start_time {}", {"spec.delay", "spec.start_time"}), "START_TIME_INVALID");
  const std::string a = Spawn();
  EXPECT_EQ(Why(a, *Update("start_time { seconds: 9999999999 }", {"spec.start_time"})),
            "START_TIME_TOO_LATE");
  EXPECT_EQ(Why(a, {.kind = Kind::kPause, .reason = std::string(1025, 'x')}), "REASON_TOO_LONG");
}

TEST_F(TaskChangesTest, UpdateMovesAWaitingTaskToOtherLimitKeys) {
  Up(0, 4);
  directory_->SetLimit(0, {{.running_max = 1}, "full"});
  directory_->SetLimit(0, {{.queued_max = 1}, "short"});
  engine_->Rebound(0, now_);
  const std::string runs = Spawn("limit_keys: 'full'");
  const std::string aside = Spawn("limit_keys: 'full'"), behind = Spawn("limit_keys: 'full'");
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(runs));
  EXPECT_EQ(Get(aside).wait().cause(), v1::WaitExplanation::CAUSE_LIMIT);
  EXPECT_EQ(Why(runs, *Update("limit_keys: 'free'", {"spec.limit_keys"})), "TASK_RUNNING");
  EXPECT_EQ(*Do(runs, *Update("limit_keys: 'full'", {"spec.limit_keys"})), false) << "as it is";
  EXPECT_EQ(*Do(aside, *Update("limit_keys: 'full' limit_keys: 'b'", {"spec.limit_keys"})), true);
  EXPECT_EQ(StateOf(aside), v1::TASK_STATE_QUEUED) << "the first part is as full as before";
  EXPECT_EQ(*Do(aside, *Update("limit_keys: 'free'", {"spec.limit_keys"})), true);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(aside));
  EXPECT_EQ(*Do(behind, *Update("", {"spec.limit_keys"})), true);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(behind));
  EXPECT_EQ(Get(behind).spec().limit_keys_size(), 0);

  const std::string later = Spawn("limit_keys: 'short' delay { seconds: 60 }");
  const std::string other = Spawn("delay { seconds: 60 }");
  EXPECT_EQ(Why(other, *Update("limit_keys: 'short'", {"spec.limit_keys"})), "LIMIT_QUEUED");
  EXPECT_EQ(*Do(later, *Update("limit_keys: 'short' limit_keys: 'x'", {"spec.limit_keys"})), true)
      << "the first part counts it already";
}

TEST_F(TaskChangesTest, ATaskThatWasMovedKeepsItsPlaceInTheQueue) {
  Up(0, 0);
  const std::string a = Spawn("limit_keys: 'k'"), b = Spawn("limit_keys: 'k'"), c = Spawn();
  EXPECT_EQ(*Do(a, *Update("limit_keys: 'm'", {"spec.limit_keys"})), true);
  Up(0, 3, 2);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(a, b, c));
}

TEST_F(TaskChangesTest, ASpawnMayNameItsStart) {
  Up(0);
  const std::string at = std::to_string(now_ / kSecond + 7);
  const std::string a = Spawn("start_time { seconds: " + at + " }");
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_SCHEDULED);
  Tick(7);
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(RefusalReason(Refused("delay { seconds: 1 } start_time { seconds: 5 }")),
            "START_TIME_INVALID");
  EXPECT_EQ(RefusalReason(Refused("start_time { seconds: 9999999999 }")), "START_TIME_TOO_LATE");
}

TEST_F(TaskChangesTest, WhatWasChangedSurvivesARestart) {
  Up(0, 0);
  const std::string a = Spawn(kDurable), b = Spawn(kDurable), c = Spawn(kDurable);
  const std::string d = Spawn(StrCat(kDurable, " limit_keys: 'old' slot_cost: 3"));
  const std::string e = Spawn(StrCat(kDurable, " limit_keys: 'old' slot_cost: 3"));
  Persist();
  EXPECT_TRUE(Do(d, *Update("limit_keys: ['k', 'l']", {"spec.limit_keys"})).ok());
  EXPECT_TRUE(Do(d, *Update("delay { seconds: 3600 }", {"spec.delay"})).ok());
  EXPECT_TRUE(Do(e, *Update("delay { seconds: 3600 }", {"spec.delay"})).ok());
  Does(a, Kind::kPause, "later");
  EXPECT_TRUE(
      Do(b, *Update("priority: 7 labels { key: 'k' value: 'v' }", {"spec.priority", "spec.labels"}))
          .ok());
  EXPECT_TRUE(Do(b, *Update("delay { seconds: 3600 }", {"spec.delay"})).ok());
  Does(c, Kind::kCancel);
  Persist();
  EXPECT_TRUE(Does(c, Kind::kRetry));
  Restart();
  EXPECT_EQ(Get(a).pause_reason(), "later");
  EXPECT_EQ(Get(b).spec().priority(), 7);
  EXPECT_EQ(Get(b).spec().labels().at("k"), "v");
  EXPECT_EQ(Get(b).spec().delay().seconds(), 3600);
  EXPECT_EQ(StateOf(b), v1::TASK_STATE_SCHEDULED);
  EXPECT_EQ(StateOf(c), v1::TASK_STATE_QUEUED);
  EXPECT_THAT(Get(d).spec().limit_keys(), ElementsAre("k", "l"));
  EXPECT_EQ(Get(d).spec().slot_cost(), 3);
  EXPECT_THAT(Get(e).spec().limit_keys(), ElementsAre("old"));
  Up(0);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(c));
}

TEST_F(TaskChangesTest, APausedQueueTakesTasksAndStartsNoneOverARestart) {
  Up(0);
  EXPECT_TRUE(engine_->PauseQueue("tenants/default/queues/default", "deploy", fx_).ok());
  const std::string a = Spawn(kDurable);
  Persist();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(Queue().state(), v1::Queue::STATE_PAUSED);
  EXPECT_EQ(Queue().pause_reason(), "deploy");
  Restart();
  Up(0);
  EXPECT_EQ(Queue().state(), v1::Queue::STATE_PAUSED);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_TRUE(engine_->ResumeQueue("tenants/default/queues/default", fx_).ok());
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(a));
  ASSERT_FALSE(fx_.writes.empty());
  Restart();
  EXPECT_EQ(Queue().state(), v1::Queue::STATE_ACTIVE);
}

TEST_F(TaskChangesTest, AQueueThatWaitsForRoomCanBePaused) {
  Up(0, 1);
  Spawn(), Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  EXPECT_TRUE(engine_->PauseQueue("tenants/default/queues/default", "", fx_).ok());
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_TRUE(engine_->ResumeQueue("tenants/default/queues/default", fx_).ok());
  Tick();
  EXPECT_EQ(TakeStartedNames().size(), 1u);
}

TEST_F(TaskChangesTest, AQueueThatTheConfigPausesCanBeResumed) {
  Use("tenants { name: 'default' queues { name: 'default' paused: true } }");
  Up(0);
  Spawn(kDurable);
  Persist();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_TRUE(engine_->ResumeQueue("tenants/default/queues/default", fx_).ok());
  Restart();
  Up(0);
  EXPECT_EQ(TakeStartedNames().size(), 1u);
  EXPECT_EQ(RefusalReason(engine_->PauseQueue("tenants/default/queues/no", "", fx_)),
            "QUEUE_NOT_FOUND");
  EXPECT_EQ(RefusalReason(engine_->PauseQueue("tenants/default", "", fx_)), "NAME_INVALID");
}

}  // namespace
}  // namespace grove::tasks
