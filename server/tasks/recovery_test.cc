#include <map>

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecoveryTest : public EngineTest {
 protected:
  std::string SpawnDurable(const std::string& text = "") {
    return Spawn("durability: DURABILITY_DURABLE " + text);
  }
  // What a store would hold after the writes so far.
  std::vector<StoredTask> Disk() {
    std::map<TaskId, StoredTask> rows;
    for (const StoreWrite& write : disk_) {
      if (write.kind == StoreWrite::Kind::kInsert) rows[write.task.id] = write.task;
      if (write.kind == StoreWrite::Kind::kUpdate)
        rows[write.task.id].progress = write.task.progress;
      if (write.kind == StoreWrite::Kind::kDelete) rows.erase(write.task.id);
    }
    std::vector<StoredTask> tasks;
    tasks.reserve(rows.size());
    for (auto& [id, task] : rows) tasks.push_back(task);
    return tasks;
  }
  RecoveryReport Restart(const std::string& config = "") {
    Make(config, 2);
    return engine_->Recover(Disk(), now_);
  }
};

TEST_F(RecoveryTest, KeepsWaitingAndEndedTasks) {
  Up(0, 1);
  const std::string ended =
      SpawnDurable("request_id: 'r' input: '[1]' labels { key: 'k' value: 'v' }");
  Persist();
  End(TakeOnlyStart());
  Persist();
  Up(0, 0);
  const std::string queued = SpawnDurable(), later = SpawnDurable("delay { seconds: 60 }");
  Persist();
  EXPECT_EQ(Restart().restored, 3);
  EXPECT_EQ(StateOf(ended), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(Get(ended).output(), "out");
  EXPECT_EQ(Get(ended).spec().input(), "[1]");
  EXPECT_EQ(Get(ended).spec().labels().at("k"), "v");
  EXPECT_TRUE(engine_->IsSettled(*engine_->Find(ended)));
  EXPECT_EQ(StateOf(later), v1::TASK_STATE_SCHEDULED);
  Up(0);
  EXPECT_EQ(Spawn("request_id: 'r'"), ended);
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].task(), queued);
  EXPECT_EQ(starts[0].attempt() >> 40, 2u);
}

TEST_F(RecoveryTest, LetsARunningTaskGoOnIfItsWorkerStillRunsIt) {
  Up(0);
  const std::string name = SpawnDurable();
  Persist();
  const uint64_t attempt = TakeOnlyStart();
  Persist();
  Restart();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(Pool().running(), 1);
  auto hello = Hello(0);
  hello.add_running(attempt);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Tick(20);
  EXPECT_THAT(TakeStarts(), IsEmpty());
  End(attempt);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(RecoveryTest, RequeuesARunningTaskOfAnotherIncarnation) {
  Up(0);
  const std::string name = SpawnDurable();
  Persist();
  Persist();
  TakeStarts();
  Restart();
  Up(0, 10, 2);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(name));
  EXPECT_EQ(Get(name).attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
}

TEST_F(RecoveryTest, RequeuesARunningTaskWhoseWorkerDoesNotReturn) {
  Up(0);
  const std::string name = SpawnDurable();
  Persist();
  Persist();
  Restart();
  EXPECT_EQ(engine_->NextDeadline(), now_ + 10 * kSecond);
  Tick(9);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(Pool().running(), 0);
}

TEST_F(RecoveryTest, LeavesTasksOfUnknownQueuesInTheStore) {
  Make("tenants { name: 'acme' }");
  Up(0);
  Spawn("durability: DURABILITY_DURABLE", "tenants/acme");
  Persist();
  const RecoveryReport report = Restart();
  EXPECT_EQ(report.restored, 0);
  EXPECT_EQ(report.left_in_store.at("tenants/acme/queues/default"), 1);
  EXPECT_TRUE(fx_.writes.empty());
}

TEST_F(RecoveryTest, CountsRecordsThatDoNotParse) {
  StoredTask bad;
  bad.tenant = bad.queue = "default";
  bad.spec = "\xff";
  EXPECT_EQ(engine_->Recover({bad}, now_).unreadable, 1);
}

TEST_F(RecoveryTest, DeletesFromTheStoreWhatIsNotRetained) {
  Make("tasks { retention_ms: 1000 }");
  Up(0);
  SpawnDurable();
  Persist();
  End(TakeOnlyStart());
  Persist();
  Tick(2);
  Persist();
  EXPECT_THAT(Disk(), IsEmpty());
}

}  // namespace
}  // namespace grove::tasks
