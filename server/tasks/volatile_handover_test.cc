#include "server/tasks/volatile_handover.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;

class VolatileHandoverTest : public EngineTest {
 protected:
  ~VolatileHandoverTest() override { close(fd_); }
  // The next engine, with what the present one hands over. How many.
  int64_t HandOver() {
    const absl::StatusOr<int64_t> written = WriteVolatileTasks(*engine_, fd_);
    EXPECT_TRUE(written.ok()) << written.status();
    Make("", ++starts_);
    return TakeOver();
  }
  int64_t TakeOver() {
    VolatileTaskReader reader(fd_);
    while (reader.next() != nullptr) engine_->Recover(reader.Take(), now_);
    EXPECT_TRUE(reader.status().ok()) << reader.status();
    return engine_->EndRecovery(now_).restored;
  }

  const int fd_ = memfd_create("volatile-tasks", MFD_CLOEXEC);
  uint64_t starts_ = 1;
};

TEST_F(VolatileHandoverTest, WaitingTasksKeepTheirOrderAndInputs) {
  Up(0, 0);
  const std::string first = Spawn("input: '[1]' request_id: 'r' labels { key: 'k' value: 'v' }");
  const std::string second = Spawn("input: '[2]'"), later = Spawn("delay { seconds: 60 }");
  EXPECT_EQ(HandOver(), 3);
  EXPECT_EQ(StateOf(later), v1::TASK_STATE_SCHEDULED);
  EXPECT_EQ(Get(first).spec().labels().at("k"), "v");
  Up(0);
  EXPECT_EQ(Spawn("input: '[1]' request_id: 'r' labels { key: 'k' value: 'v' }"), first);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(first, second));
}

TEST_F(VolatileHandoverTest, TasksStayVolatile) {
  Up(0);
  const std::string name = Spawn();
  HandOver();
  EXPECT_EQ(Get(name).spec().durability(), v1::DURABILITY_VOLATILE);
  Up(0);
  EXPECT_TRUE(fx_.writes.empty());
}

TEST_F(VolatileHandoverTest, ARunningAttemptGoesOnWhereItRuns) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  HandOver();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  auto hello = Hello(0);
  hello.add_running(attempt);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Tick();
  EXPECT_THAT(TakeStarts(), ::testing::IsEmpty());
  End(attempt);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(VolatileHandoverTest, NothingOfASpecIsLost) {
  auto hello = Hello(0, 0);
  hello.add_functions()->set_name("task.webhook");
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  const std::string first = Spawn();
  const std::string name =
      Spawn("after: '" + first +
            "' after_condition: AFTER_CONDITION_SUCCEEDED webhook { url: 'https://example.com' } "
            "sequence { key: 's' on_failure: ON_FAILURE_HALT } "
            "input: '[1]' priority: 3 timeout { seconds: 1 } heartbeat_timeout { seconds: 2 } "
            "schedule_to_start_timeout { seconds: 3 } labels { key: 'k' value: 'v' } "
            "delay { seconds: 60 } request_id: 'r' unique_key { key: 'u' on_conflict: "
            "ON_CONFLICT_REFUSE } retry_policy { max_attempts: 4 initial_backoff { seconds: 5 } "
            "max_backoff { seconds: 6 } backoff_multiplier: 7 jitter: 0.5 not_retried_codes: 8 }");
  const v1::TaskSpec before = Get(name).spec();
  HandOver();
  EXPECT_EQ(Get(name).spec().DebugString(), before.DebugString());
  // Whoever adds a field says here whether it is handed over.
  const auto* fields = v1::TaskSpec::descriptor();
  for (int i = 0; i < fields->field_count(); ++i) {
    if (fields->field(i)->name() == "start_time") continue;  // not with a delay
    if (fields->field(i)->is_repeated()) continue;
    EXPECT_TRUE(!fields->field(i)->has_presence() ||
                before.GetReflection()->HasField(before, fields->field(i)))
        << fields->field(i)->name();
  }
  Up(0, 0);
  EXPECT_EQ(RefusalReason(Refused("unique_key { key: 'u' on_conflict: ON_CONFLICT_REFUSE }")),
            "UNIQUE_KEY_TAKEN");
}

TEST_F(VolatileHandoverTest, TheNextAttemptReadsWhatTheLastOneLeft) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  internal::v1::AttemptHeartbeat heartbeat;
  heartbeat.set_attempt(TakeOnlyStart());
  heartbeat.set_checkpoint("halfway");
  engine_->AttemptHeartbeat(0, heartbeat, now_, fx_);
  HandOver();
  EXPECT_EQ(Get(name).checkpoint(), "halfway");
}

TEST_F(VolatileHandoverTest, ResultsAreStillThereAndLeaveInTheirTime) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  End(TakeOnlyStart());
  EXPECT_EQ(HandOver(), 1);
  EXPECT_EQ(Get(name).output(), "out");
  EXPECT_TRUE(engine_->IsSettled(*engine_->Find(name)));
}

TEST_F(VolatileHandoverTest, DurableTasksAreTheStores) {
  Up(0, 0);
  Spawn("durability: DURABILITY_DURABLE");
  Persist();
  EXPECT_EQ(HandOver(), 0);
}

TEST_F(VolatileHandoverTest, TheyStayInTheFileUntilTheSuccessorServes) {
  Up(0, 0);
  Spawn();
  EXPECT_EQ(HandOver(), 1);
  Make("", ++starts_);
  EXPECT_EQ(TakeOver(), 1);
  ASSERT_TRUE(EmptyVolatileTasks(fd_).ok());
  Make("", ++starts_);
  EXPECT_EQ(TakeOver(), 0);
}

TEST_F(VolatileHandoverTest, ANewerHandoverTakesTheOldOnesPlace) {
  Up(0, 0);
  Spawn();
  EXPECT_EQ(HandOver(), 1);
  EXPECT_EQ(HandOver(), 1);
}

TEST_F(VolatileHandoverTest, AFileThatIsCutOffGivesWhatIsWhole) {
  Up(0, 0);
  Spawn();
  Spawn();
  ASSERT_TRUE(WriteVolatileTasks(*engine_, fd_).ok());
  const off_t size = lseek(fd_, 0, SEEK_END);
  for (const off_t cut : {size - 1, size / 2 + 2}) {
    ASSERT_EQ(ftruncate(fd_, cut), 0);
    VolatileTaskReader reader(fd_);
    ASSERT_NE(reader.next(), nullptr);
    reader.Take();
    EXPECT_EQ(reader.next(), nullptr);
    EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss) << cut;
  }
}

TEST_F(VolatileHandoverTest, AFileThatCannotBeWrittenIsAnError) {
  Up(0, 0);
  Spawn();
  const int sealed = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW), 0);
  const absl::StatusOr<int64_t> written = WriteVolatileTasks(*engine_, sealed);
  EXPECT_THAT(std::string(written.status().message()), ::testing::HasSubstr("1 volatile tasks"));
  close(sealed);
}

}  // namespace
}  // namespace grove::tasks
