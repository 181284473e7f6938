#include "server/tasks/sqlite_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

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
    auto store = SqliteStore::Open(dir_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Start() {
    store_->Start([this](absl::Status status, uint64_t through) {
      absl::MutexLock lock(&mutex_);
      status_ = std::move(status);
      through_ = std::max(through_, through);
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
  const auto tasks = store_->LoadAll();
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  ASSERT_EQ(tasks->size(), 2u);
  const StoredTask& task = (*tasks)[0];
  EXPECT_EQ(task.id, (TaskId{1, ~uint64_t{1}}));
  EXPECT_EQ(task.tenant, "acme");
  EXPECT_EQ(task.queue, "mail");
  EXPECT_EQ(task.spec, std::string("s\0\xff", 3));
  EXPECT_EQ(task.progress.task, "p");
  EXPECT_EQ(task.progress.attempt, ~uint64_t{0});
  EXPECT_EQ(task.progress.worker, 3);
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
  const auto tasks = store_->LoadAll();
  ASSERT_EQ(tasks->size(), 1u);
  EXPECT_EQ((*tasks)[0].progress.task, "c");
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
  EXPECT_EQ(store_->LoadAll()->size(), 25000u);
}

TEST_F(SqliteStoreTest, CountsItsStarts) {
  Open();
  EXPECT_EQ(store_->start_number(), 1u);
  Open();
  EXPECT_EQ(store_->start_number(), 2u);
}

TEST_F(SqliteStoreTest, KeepsASecondDaemonOut) {
  Open();
  const absl::Status status = SqliteStore::Open(dir_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another daemon uses"));
}

TEST_F(SqliteStoreTest, RefusesDamageAndForeignFiles) {
  std::ofstream(dir_ + "/tasks.db") << std::string(8192, 'x');
  absl::Status status = SqliteStore::Open(dir_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir_ + "/tasks.db"));
  std::filesystem::remove(dir_ + "/tasks.db");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ + "/tasks.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE notes (t)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  status = SqliteStore::Open(dir_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("another program"));
}

TEST_F(SqliteStoreTest, RefusesANewerSchema) {
  Open();
  store_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((dir_ + "/tasks.db").c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "PRAGMA user_version = 2", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_THAT(std::string(SqliteStore::Open(dir_).status().message()),
              HasSubstr("schema version 2"));
}

TEST_F(SqliteStoreTest, NamesADirectoryThatItCannotUse) {
  std::ofstream(dir_ + "/file") << "x";
  const absl::Status status = SqliteStore::Open(dir_ + "/file/state").status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir_ + "/file/state"));
}

}  // namespace
}  // namespace grove::tasks
