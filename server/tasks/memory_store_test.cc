// What every TaskStore owes, and an engine counts on: a database of another kind has to pass, too.
#include "server/tasks/memory_store.h"

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/tasks/sqlite_store.h"

namespace grove::tasks {
namespace {

using Kind = StoreWrite::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

enum class Which { kMemory, kSqlite };

class StoreContractTest : public ::testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/contractXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    Open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  // The next owner of what is there.
  void Open() {
    if (GetParam() == Which::kMemory) {
      if (store_ == nullptr) store_ = std::make_unique<MemoryStore>();
      return;
    }
    store_.reset();
    auto opened = SqliteStore::Open({.state_dir = dir_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  void Start() {
    store_->Start([this](const StoreReport& report) {
      const absl::MutexLock lock(&mutex_);
      if (report.status.ok()) through_ = report.through;
    });
  }
  // And waits until they are safe.
  void Write(std::vector<StoreWrite> writes) {
    const uint64_t last = writes.back().ticket;
    store_->Write(std::move(writes));
    const absl::MutexLock lock(&mutex_);
    const auto is_safe = [this, last] { return through_ >= last; };
    mutex_.Await(absl::Condition(&is_safe));
  }
  void StopAndOpen() {
    ASSERT_TRUE(store_->Stop().ok());
    Open();
  }

  StoreWrite Task(Kind kind, uint64_t id, WallMicros end_time_us = 0) {
    StoreWrite write;
    write.kind = kind;
    write.ticket = ++ticket_;
    write.task.id = {id, 0};
    write.task.tenant = "acme";
    write.task.queue = "mail";
    write.task.spec = "s";
    write.task.input_bytes = 0;
    write.task.progress.task = "p";
    write.task.progress.end_time_us = end_time_us;
    return write;
  }
  std::vector<StoredTask> Read(std::vector<TaskId> ids) {
    std::vector<StoredTask> tasks;
    absl::Notification answered;
    store_->Read(std::move(ids), [&](absl::StatusOr<std::vector<StoredTask>> found) {
      EXPECT_TRUE(found.ok()) << found.status();
      if (found.ok()) tasks = *std::move(found);
      answered.Notify();
    });
    answered.WaitForNotification();
    return tasks;
  }
  std::vector<uint64_t> Load(const StoreRetention& retention = {}) {
    std::vector<uint64_t> ids;
    const auto take = [&](const StoredTask& task) { ids.push_back(task.id.high); };
    EXPECT_TRUE(store_->Load(retention, take).ok());
    return ids;
  }

  std::string dir_;
  std::unique_ptr<TaskStore> store_;
  uint64_t ticket_ = 0;
  absl::Mutex mutex_;
  uint64_t through_ = 0;
};

TEST_P(StoreContractTest, ReadsWhatIsSafe) {
  Start();
  Write({Task(Kind::kInsert, 1), Task(Kind::kInsert, 2), Task(Kind::kUpdate, 2, 7),
         Task(Kind::kInsert, 3), Task(Kind::kDelete, 3)});
  const std::vector<StoredTask> found = Read({{1, 0}, {2, 0}, {3, 0}, {4, 0}});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].progress.end_time_us + found[1].progress.end_time_us, 7);
}

TEST_P(StoreContractTest, AnUpdateOfWhatIsNotThereMakesNothing) {
  Start();
  Write({Task(Kind::kInsert, 1), Task(Kind::kUpdate, 2)});
  Write({Task(Kind::kDelete, 1)});
  Write({Task(Kind::kUpdate, 1)});
  EXPECT_THAT(Read({{1, 0}, {2, 0}}), IsEmpty());
  Write({Task(Kind::kInsert, 1)});
  EXPECT_EQ(Read({{1, 0}}).size(), 1u) << "an id may come again";
}

TEST_P(StoreContractTest, TheNextOwnerFindsAllInTheOrderOfTheIds) {
  Start();
  Write({Task(Kind::kInsert, 3), Task(Kind::kInsert, 1, 100), Task(Kind::kInsert, 2)});
  Write({Task(Kind::kUpdate, 3, 200)});
  StopAndOpen();
  EXPECT_THAT(Load(), ElementsAre(1, 2, 3));
}

TEST_P(StoreContractTest, HandsOverWhatTheRetentionLeaves) {
  Start();
  Write({Task(Kind::kInsert, 1, 300), Task(Kind::kInsert, 2), Task(Kind::kInsert, 3, 100),
         Task(Kind::kInsert, 4, 200)});
  StopAndOpen();
  EXPECT_THAT(Load({.ended_before_us = 101}), ElementsAre(1, 2, 4));
  EXPECT_THAT(Load({.ended_before_us = 101, .ended_max = 1}), ElementsAre(1, 2));
  EXPECT_THAT(Load({.ended_before_us = 101, .ended_max = 0}), ElementsAre(2));
}

TEST_P(StoreContractTest, ALoadLeavesLongInputsOut) {
  Start();
  StoreWrite write = Task(Kind::kInsert, 1);
  write.task.input = std::string(kInlinePayloadBytesMax + 1, 'i');
  write.task.input_bytes = kInlinePayloadBytesMax + 1;
  Write({write});
  StopAndOpen();
  const auto take = [&](const StoredTask& task) {
    EXPECT_EQ(task.input, "");
    EXPECT_EQ(task.input_bytes, kInlinePayloadBytesMax + 1);
  };
  EXPECT_TRUE(store_->Load({}, take).ok());
  Start();
  EXPECT_EQ(Read({{1, 0}}).at(0).input, write.task.input);
}

TEST_P(StoreContractTest, KeepsWhatWasSaidOfQueues) {
  Start();
  StoreWrite said = Task(Kind::kQueue, 0);
  said.task.progress.task = "paused";
  StoreWrite unsaid = Task(Kind::kQueue, 0);
  unsaid.task.queue = "jobs";
  unsaid.task.progress.task = "";
  Write({said, unsaid});
  StopAndOpen();
  std::vector<std::string> settings;
  const auto take = [&](const StoredQueue& queue) {
    settings.push_back(queue.queue + " " + queue.settings);
  };
  EXPECT_TRUE(store_->LoadQueues(take).ok());
  EXPECT_THAT(settings, ElementsAre("mail paused"));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest,
                         ::testing::Values(Which::kMemory, Which::kSqlite));

}  // namespace
}  // namespace grove::tasks
