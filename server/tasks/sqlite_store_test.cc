#include "server/tasks/sqlite_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SqliteStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/storeXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Open() {
    store_.reset();
    auto store = SqliteStore::Open({.state_dir = dir_});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Start() {
    store_->Start([this](StoreReport report) {
      absl::MutexLock lock(&mutex_);
      status_ = std::move(report.status);
      through_ = std::max(through_, report.through);
    });
  }
  void AwaitPersisted(uint64_t ticket) {
    absl::MutexLock lock(&mutex_);
    auto reached = [this, ticket] { return through_ >= ticket; };
    mutex_.Await(absl::Condition(&reached));
  }
  StoreWrite Write(StoreWrite::Kind kind, uint64_t id, const std::string& progress = "p") {
    StoreWrite write;
    write.kind = kind;
    write.ticket = ++ticket_;
    write.task.id = {id, ~id};
    write.task.tenant = "acme";
    write.task.queue = "mail";
    write.task.spec = std::string("s\0\xff", 3);
    write.task.progress.task = progress;
    write.task.progress.attempt = ~uint64_t{0};
    write.task.progress.worker = 3;
    return write;
  }
  void Insert(uint64_t id) {
    store_->Write({Write(StoreWrite::Kind::kInsert, id)});
    AwaitPersisted(ticket_);
  }

  std::vector<StoredTask> Load(const StoreRetention& retention = {}) {
    std::vector<StoredTask> tasks;
    const absl::Status status =
        store_->Load(retention, [&](StoredTask task) { tasks.push_back(std::move(task)); });
    EXPECT_TRUE(status.ok()) << status;
    return tasks;
  }
  // Ids of the tasks, as far as Insert() tells them apart.
  std::vector<uint64_t> LoadIds(const StoreRetention& retention = {}) {
    std::vector<uint64_t> ids;
    for (const StoredTask& task : Load(retention)) ids.push_back(task.id.high);
    return ids;
  }
  absl::StatusOr<std::vector<StoredTask>> Read(const std::vector<uint64_t>& ids) {
    std::vector<TaskId> tasks;
    tasks.reserve(ids.size());
    for (const uint64_t id : ids) tasks.push_back({id, ~id});
    absl::Notification answered;
    absl::StatusOr<std::vector<StoredTask>> answer;
    store_->Read(tasks, [&](absl::StatusOr<std::vector<StoredTask>> found) {
      answer = std::move(found);
      answered.Notify();
    });
    answered.WaitForNotification();
    return answer;
  }
  void InsertEnded(uint64_t id, WallMicros end_time_us) {
    StoreWrite write = Write(StoreWrite::Kind::kInsert, id);
    write.task.progress.end_time_us = end_time_us;
    store_->Write({write});
    AwaitPersisted(ticket_);
  }

  std::string dir_;
  std::unique_ptr<SqliteStore> store_;
  uint64_t ticket_ = 0;
  absl::Mutex mutex_;
  absl::Status status_;
  uint64_t through_ = 0;
};

TEST_F(SqliteStoreTest, KeepsWhatItConfirmedThroughAKill) {
  Open();
  Start();
  Insert(2);
  Insert(1);
  Open();
  const auto tasks = Load();
  ASSERT_EQ(tasks.size(), 2u);
  const StoredTask& task = tasks[0];
  EXPECT_EQ(task.id, (TaskId{1, ~uint64_t{1}}));
  EXPECT_EQ(task.tenant, "acme");
  EXPECT_EQ(task.queue, "mail");
  EXPECT_EQ(task.spec, std::string("s\0\xff", 3));
  EXPECT_EQ(task.progress.task, "p");
  EXPECT_EQ(task.progress.attempt, ~uint64_t{0});
  EXPECT_EQ(task.progress.worker, 3);
}

TEST_F(SqliteStoreTest, LoadsNoLongInput) {
  Open();
  Start();
  const auto insert = [this](uint64_t id, size_t bytes) {
    StoreWrite write = Write(StoreWrite::Kind::kInsert, id);
    write.task.input = std::string(bytes, 'i');
    write.task.input_bytes = static_cast<int64_t>(bytes);
    write.task.fingerprint = ~id;
    store_->Write({write});
    AwaitPersisted(ticket_);
  };
  insert(1, 0);
  insert(2, kInlinePayloadBytesMax);
  insert(3, 100'000);
  const auto read = Read({3});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].input, std::string(100'000, 'i'));
  Open();
  const auto tasks = Load();
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[0].input_bytes, 0);
  EXPECT_EQ(tasks[1].input, std::string(kInlinePayloadBytesMax, 'i'));
  EXPECT_EQ(tasks[2].input, "");
  EXPECT_EQ(tasks[2].input_bytes, 100'000);
  EXPECT_EQ(tasks[2].fingerprint, ~uint64_t{3});
}

// As the program made it that knew version 1.
constexpr char kVersion1[] = R"(
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1196578388;
PRAGMA user_version = 1;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE tasks (
  id BLOB NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  queue TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  incarnation INTEGER NOT NULL,
  worker INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  interruptions INTEGER NOT NULL,
  end_time_us INTEGER NOT NULL,
  progress BLOB NOT NULL,
  spec BLOB NOT NULL
);
INSERT INTO counters VALUES ('starts', 6);
INSERT INTO tasks VALUES (x'0000000000000005fffffffffffffffa', 'acme', 'mail', 0, 0, -1, 2, 1, 0,
                          x'70', x'73');
)";

TEST_F(SqliteStoreTest, TakesOverADatabaseOfVersion1) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ + "/tasks.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, kVersion1, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  Open();
  EXPECT_EQ(store_->start_number(), 7u);
  auto tasks = Load();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, (TaskId{5, ~uint64_t{5}}));
  EXPECT_EQ(tasks[0].spec, "s");
  EXPECT_EQ(tasks[0].input_bytes, -1) << "it stands in the spec";
  EXPECT_EQ(tasks[0].progress.failures, 2);
  Start();
  store_->Write({Write(StoreWrite::Kind::kUpdate, 5, "q")});
  AwaitPersisted(ticket_);
  Insert(6);
  const auto read = Read({5});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].spec, "s");
  Open();
  tasks = Load();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].progress.task, "q");
  EXPECT_EQ(tasks[1].id.high, 6u);
}

TEST_F(SqliteStoreTest, AppliesUpdatesAndDeletesInOrder) {
  Open();
  Start();
  using Kind = StoreWrite::Kind;
  store_->Write({Write(Kind::kInsert, 1, "a"), Write(Kind::kUpdate, 1, "b"),
                 Write(Kind::kInsert, 2, "a"), Write(Kind::kUpdate, 1, "c"),
                 Write(Kind::kUpdate, 2, "b"), Write(Kind::kDelete, 2)});
  EXPECT_TRUE(store_->Stop().ok());
  Open();
  const auto tasks = Load();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].progress.task, "c");
}

TEST_F(SqliteStoreTest, FlushesWhatIsPendingWhenItStops) {
  Open();
  Start();
  std::vector<StoreWrite> writes;
  for (int i = 1; i <= 25000; ++i) writes.push_back(Write(StoreWrite::Kind::kInsert, i));
  store_->Write(std::move(writes));
  EXPECT_TRUE(store_->Stop().ok());
  EXPECT_EQ(through_, 25000u);
  Open();
  EXPECT_EQ(Load().size(), 25000u);
}

TEST_F(SqliteStoreTest, LoadsLiveTasksAndTheLatestEndsAlone) {
  Open();
  Start();
  Insert(1);
  for (uint64_t id = 2; id <= 9; ++id) InsertEnded(id, 100 - id);
  Open();
  EXPECT_THAT(LoadIds({.ended_before_us = 95}), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(LoadIds({.ended_before_us = 95, .ended_max = 2}), ElementsAre(1, 2, 3));
  EXPECT_THAT(LoadIds({.ended_before_us = 0, .ended_max = 0}), ElementsAre(1));
  EXPECT_THAT(LoadIds({.ended_before_us = 99, .ended_max = 8}), ElementsAre(1));
}

TEST_F(SqliteStoreTest, TellsEndsOfOneInstantApart) {
  Open();
  Start();
  for (uint64_t id = 1; id <= 5; ++id) InsertEnded(id, 100);
  Open();
  EXPECT_THAT(LoadIds({.ended_max = 3}), ElementsAre(3, 4, 5));
}

TEST_F(SqliteStoreTest, DeletesWhatItLeftOutOfTheLoad) {
  Open();
  Start();
  for (uint64_t id = 1; id <= 3; ++id) InsertEnded(id, id);
  Open();
  EXPECT_THAT(LoadIds({.ended_before_us = 3}), ElementsAre(3));
  Start();
  Insert(4);
  Insert(5);
  Open();
  EXPECT_THAT(LoadIds(), ElementsAre(3, 4, 5));
}

TEST_F(SqliteStoreTest, HandsOverRowsThatNobodyCanRead) {
  Open();
  store_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ + "/tasks.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(
          database,
          "INSERT INTO tasks VALUES ('x', 'acme', 'mail', 0, 0, 0, 0, 0, 7, 'p', '', 0, NULL, '')",
          nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(database);
  Open();
  const auto tasks = Load({.ended_before_us = 100});
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, TaskId());
  EXPECT_EQ(tasks[0].progress.task, "p");
}

TEST_F(SqliteStoreTest, ReadsWhatItHasConfirmed) {
  Open();
  Start();
  Insert(1);
  Insert(2);
  const auto tasks = Read({2, 7, 1});
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  ASSERT_EQ(tasks->size(), 2u);
  EXPECT_EQ((*tasks)[0].id.high, 2u);
  EXPECT_EQ((*tasks)[0].spec, std::string("s\0\xff", 3));
}

TEST_F(SqliteStoreTest, AnswersReadsThatItsStopFindsWaiting) {
  Open();
  Start();
  absl::Notification reading;
  absl::Notification stopping;
  absl::Status second;
  store_->Read({}, [&](const absl::StatusOr<std::vector<StoredTask>>&) {
    reading.Notify();
    stopping.WaitForNotification();
  });
  store_->Read(
      {}, [&](const absl::StatusOr<std::vector<StoredTask>>& found) { second = found.status(); });
  reading.WaitForNotification();
  std::thread stop([&] { EXPECT_TRUE(store_->Stop().ok()); });
  // Whoever asks while the store stops is told at once.
  while (true) {
    const auto told = std::make_shared<std::atomic<bool>>(false);
    store_->Read({}, [told](const absl::StatusOr<std::vector<StoredTask>>& found) {
      *told = absl::IsUnavailable(found.status());
    });
    if (*told) break;
    std::this_thread::yield();
  }
  stopping.Notify();
  stop.join();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
}

TEST_F(SqliteStoreTest, PutsFilesBackBeforeItStops) {
  Open();
  Start();
  Insert(1);
  std::filesystem::remove(dir_ + "/tasks.db");
  EXPECT_TRUE(store_->Stop().ok());
  Open();
  EXPECT_THAT(LoadIds(), ElementsAre(1));
}

TEST_F(SqliteStoreTest, ReportsALackOfRoomAndItsEndWithoutAWrite) {
  absl::Notification low;
  absl::Notification enough;
  std::atomic<int64_t> available = int64_t{10} << 20;
  auto store = SqliteStore::Open({.state_dir = dir_, .probe = [&available] {
                                    return VolumeSpace{.available_bytes = available,
                                                       .total_bytes = int64_t{1} << 30};
                                  }});
  ASSERT_TRUE(store.ok()) << store.status();
  (*store)->Start([&](const StoreReport& report) {
    if (report.room.ok()) {
      enough.Notify();
    } else if (!low.HasBeenNotified()) {
      low.Notify();
    }
  });
  low.WaitForNotification();
  available = int64_t{500} << 20;
  enough.WaitForNotification();
}

TEST_F(SqliteStoreTest, CountsItsStarts) {
  Open();
  EXPECT_EQ(store_->start_number(), 1u);
  Open();
  EXPECT_EQ(store_->start_number(), 2u);
}

TEST_F(SqliteStoreTest, KeepsASecondDaemonOut) {
  Open();
  const absl::Status status = SqliteStore::Open({.state_dir = dir_}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another daemon uses"));
}

TEST_F(SqliteStoreTest, RefusesDamageAndForeignFiles) {
  std::ofstream(dir_ + "/tasks.db") << std::string(8192, 'x');
  absl::Status status = SqliteStore::Open({.state_dir = dir_}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir_ + "/tasks.db"));
  std::filesystem::remove(dir_ + "/tasks.db");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ + "/tasks.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE notes (t)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  status = SqliteStore::Open({.state_dir = dir_}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("another program"));
}

TEST_F(SqliteStoreTest, RefusesANewerSchema) {
  Open();
  store_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ + "/tasks.db").c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "PRAGMA user_version = 4", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_THAT(std::string(SqliteStore::Open({.state_dir = dir_}).status().message()),
              HasSubstr("schema version 4"));
}

TEST_F(SqliteStoreTest, NamesADirectoryThatItCannotUse) {
  std::ofstream(dir_ + "/file") << "x";
  const absl::Status status = SqliteStore::Open({.state_dir = dir_ + "/file/state"}).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir_ + "/file/state"));
}

}  // namespace
}  // namespace grove::tasks
