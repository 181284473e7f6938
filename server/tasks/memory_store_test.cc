// What every TaskStore owes, and an engine counts on.
#include "server/tasks/memory_store.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
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
using Order = EndedQuery::Order;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int32_t kSucceeded = 4;
constexpr int32_t kFailed = 5;

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

  void Open() {
    if (GetParam() == Which::kMemory) {
      if (store_ == nullptr) store_ = std::make_unique<MemoryStore>();
    } else {
      store_.reset();
      auto opened = SqliteStore::Open({.state_dir = dir_});
      ASSERT_TRUE(opened.ok()) << opened.status();
      store_ = *std::move(opened);
    }
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
  // As an owner that ends, and the next one.
  void StopAndOpen() {
    ASSERT_TRUE(store_->Stop().ok());
    Open();
  }

  StoreWrite Task(Kind kind, uint64_t id, WallMicros end_time_us = 0, int32_t state = 0,
                  bool is_bare = true) {
    StoreWrite write;
    write.kind = kind;
    write.ticket = ++ticket_;
    write.task.id = {id, 0};
    write.task.tenant = "acme";
    write.task.queue = id % 2 == 0 ? "even" : "odd";
    write.task.function = "send";
    write.task.spec = "s";
    write.task.input_bytes = 0;
    write.task.progress.task = "p";
    write.task.progress.end_time_us = end_time_us;
    write.task.progress.end_state = state;
    write.task.progress.is_bare = end_time_us != 0 && is_bare;
    return write;
  }
  std::vector<uint64_t> Find(EndedQuery query, std::optional<EndedPosition>* next = nullptr) {
    std::vector<uint64_t> ids;
    absl::Notification answered;
    store_->FindEnded(std::move(query), [&](absl::StatusOr<EndedPage> page) {
      EXPECT_TRUE(page.ok()) << page.status();
      for (const StoredTask& task : page->tasks) ids.push_back(task.id.high);
      if (next != nullptr) *next = page->next;
      answered.Notify();
    });
    answered.WaitForNotification();
    return ids;
  }
  std::vector<StoredTask> Read(std::vector<TaskId> ids) {
    std::vector<StoredTask> tasks;
    absl::Notification answered;
    store_->Read(std::move(ids), [&](absl::StatusOr<std::vector<StoredTask>> found) {
      EXPECT_TRUE(found.ok()) << found.status();
      tasks = *std::move(found);
      answered.Notify();
    });
    answered.WaitForNotification();
    return tasks;
  }
  std::vector<uint64_t> Load(const StoreRetention& retention = {}) {
    std::vector<uint64_t> ids;
    EXPECT_TRUE(
        store_->Load(retention, [&](const StoredTask& task) { ids.push_back(task.id.high); }).ok());
    return ids;
  }
  std::vector<uint64_t> LoadEnded(const StoreRetention& retention = {}) {
    std::vector<uint64_t> ids;
    EXPECT_TRUE(store_
                    ->LoadEnded(retention,
                                [&](const EndedRecord& task) {
                                  EXPECT_EQ(task.tenant, "acme");
                                  EXPECT_EQ(task.function, "send");
                                  ids.push_back(task.id.high);
                                })
                    .ok());
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
  Write({Task(Kind::kInsert, 1), Task(Kind::kInsert, 2), Task(Kind::kUpdate, 2, 7, kFailed),
         Task(Kind::kInsert, 3), Task(Kind::kDelete, 3), Task(Kind::kUpdate, 4, 7, kFailed)});
  const std::vector<StoredTask> found = Read({{1, 0}, {2, 0}, {3, 0}, {4, 0}});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].progress.end_time_us + found[1].progress.end_time_us, 7);
  EXPECT_THAT(Find({}), ElementsAre(2));
}

TEST_P(StoreContractTest, FindsEndsByKindInEachOrder) {
  Start();
  for (uint64_t id = 1; id <= 6; ++id) {
    Write({Task(Kind::kInsert, id, 100 - static_cast<WallMicros>(id / 2),
                id > 3 ? kFailed : kSucceeded)});
  }
  EXPECT_THAT(Find({}), ElementsAre(6, 5, 4, 3, 2, 1));
  EXPECT_THAT(Find({.order = Order::kFirstEnded}), ElementsAre(6, 4, 5, 2, 3, 1));
  EXPECT_THAT(Find({.queue = "odd", .order = Order::kFirstCreated}), ElementsAre(1, 3, 5));
  EXPECT_THAT(Find({.states = 1u << kFailed, .order = Order::kLastEnded}), ElementsAre(5, 4, 6));
  EXPECT_THAT(Find({.ended_from_us = 98, .ended_before_us = 99}), ElementsAre(5, 4));
  EXPECT_THAT(Find({.tenant = "other"}), IsEmpty());
  EXPECT_THAT(Find({.function = "other"}), IsEmpty());
  std::optional<EndedPosition> next;
  EXPECT_THAT(Find({.order = Order::kLastEnded, .count_max = 4}, &next), ElementsAre(1, 3, 2, 5));
  Write({Task(Kind::kDelete, 5)});
  EXPECT_THAT(Find({.order = Order::kLastEnded, .after = next}, &next), ElementsAre(4, 6));
  EXPECT_FALSE(next.has_value());
}

TEST_P(StoreContractTest, AnEndThatIsNoneAnyMoreIsNotFound) {
  Start();
  Write({Task(Kind::kInsert, 1, 100, kFailed)});
  Write({Task(Kind::kUpdate, 1)});
  EXPECT_THAT(Find({}), IsEmpty());
  Write({Task(Kind::kUpdate, 1, 200, kSucceeded)});
  Write({Task(Kind::kUpdate, 1, 300, kSucceeded, /*is_bare=*/false)});
  EXPECT_THAT(Find({.states = 1u << kFailed}), IsEmpty());
  EXPECT_THAT(Find({.ended_from_us = 300}), ElementsAre(1));
  // Written again from its beginning.
  Write({Task(Kind::kInsert, 1)});
  EXPECT_THAT(Find({}), IsEmpty());
}

TEST_P(StoreContractTest, ALoadHandsOverNoBareEnd) {
  Start();
  Write({Task(Kind::kInsert, 1, 100, kFailed), Task(Kind::kInsert, 2),
         Task(Kind::kInsert, 3, 300, kFailed, /*is_bare=*/false), Task(Kind::kInsert, 4),
         Task(Kind::kUpdate, 4, 200, kSucceeded)});
  StopAndOpen();
  EXPECT_THAT(Load(), ElementsAre(2, 3));
  EXPECT_THAT(LoadEnded(), UnorderedElementsAre(1, 4));
  EXPECT_THAT(Load({.ended_before_us = 301}), ElementsAre(2));
  EXPECT_THAT(LoadEnded({.ended_before_us = 101}), ElementsAre(4));
  EXPECT_THAT(Load({.ended_max = 2}), ElementsAre(2, 3));
  EXPECT_THAT(LoadEnded({.ended_max = 2}), ElementsAre(4));
  EXPECT_THAT(LoadEnded({.ended_max = 0}), IsEmpty());
}

TEST_P(StoreContractTest, KeepsWhatWasSaidOfQueues) {
  Start();
  StoreWrite said = Task(Kind::kQueue, 2);
  said.task.progress.task = "paused";
  StoreWrite unsaid = Task(Kind::kQueue, 1);
  unsaid.task.progress.task = "";
  Write({said, unsaid});
  StopAndOpen();
  std::vector<std::string> settings;
  EXPECT_TRUE(store_
                  ->LoadQueues([&](const StoredQueue& queue) {
                    settings.push_back(queue.queue + " " + queue.settings);
                  })
                  .ok());
  EXPECT_THAT(settings, ElementsAre("even paused"));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest,
                         ::testing::Values(Which::kMemory, Which::kSqlite));

}  // namespace
}  // namespace grove::tasks
