#include "server/tasks/store_writer.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "server/tasks/store_fixture.h"
#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kMiB = int64_t{1} << 20;

class StoreWriterTest : public StoreFixture {
 protected:
  // A process that was killed: its files stay as they are.
  void Kill() {
    const std::string copy = options_.state_dir + ".copy";
    std::filesystem::copy(options_.state_dir, copy);
    Close();
    std::filesystem::remove_all(options_.state_dir);
    std::filesystem::rename(copy, options_.state_dir);
  }
  std::string LogOfOpening() {
    testing::internal::CaptureStderr();
    Open();
    return testing::internal::GetCapturedStderr();
  }
  void PretendVolume(VolumeSpace* volume) {
    options_.probe = [volume] { return *volume; };
  }
};

// What is said of queues stands beside the tasks, last word last.
TEST_F(StoreWriterTest, KeepsWhatWasSaidOfQueues) {
  const auto said = [this](const std::string& settings) {
    StoreWrite write = Write(Kind::kQueue, 0);
    write.task.progress.task = settings;
    return write;
  };
  const auto load = [this] {
    std::vector<std::string> queues;
    EXPECT_TRUE(writer_
                    ->LoadQueues([&](const StoredQueue& queue) {
                      queues.push_back(queue.tenant + "/" + queue.queue + "=" + queue.settings);
                    })
                    .ok());
    return queues;
  };
  Open();
  EXPECT_THAT(load(), ElementsAre()) << "a database of before";
  const StoreReport report =
      Advance({said("first"), Write(Kind::kInsert, 1), said("second"), Write(Kind::kInsert, 2)});
  EXPECT_EQ(report.through, ticket_);
  Open();
  EXPECT_THAT(load(), ElementsAre("acme/mail=second"));
  EXPECT_THAT(LoadIds(), ElementsAre(1, 2));
  Advance({said("")});
  Open();
  EXPECT_THAT(load(), ElementsAre());
}

// Files that somebody took away.

TEST_F(StoreWriterTest, WritesADeletedDatabaseAnew) {
  Open();
  Insert(1);
  EXPECT_EQ(*Read({1}), 1u);
  std::filesystem::remove(File("tasks.db"));
  testing::internal::CaptureStderr();
  EXPECT_TRUE(Insert(2).status.ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("deleted; it is written anew"));
  EXPECT_EQ(*Read({1, 2}), 2u);
  Kill();
  Open();
  EXPECT_THAT(LoadIds(), ElementsAre(1, 2));
}

TEST_F(StoreWriterTest, WritesAllAnewWhenItsFolderWasDeleted) {
  Open();
  Insert(1);
  std::filesystem::remove_all(options_.state_dir);
  EXPECT_TRUE(Insert(2).status.ok());
  EXPECT_EQ(StateLock::Take(options_.state_dir).status().code(),
            absl::StatusCode::kFailedPrecondition);
  Kill();
  Open();
  EXPECT_EQ(writer_->start_number(), 2u);
  EXPECT_THAT(LoadIds(), ElementsAre(1, 2));
}

TEST_F(StoreWriterTest, WritesADeletedLogBack) {
  for (const char* name : {"tasks.db-wal", "tasks.db-shm"}) {
    Open();
    Insert(1);
    EXPECT_EQ(*Read({1}), 1u);
    std::filesystem::remove(File(name));
    testing::internal::CaptureStderr();
    EXPECT_TRUE(Advance().status.ok());
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("log of the task database was"));
    EXPECT_TRUE(Insert(2).status.ok());
    EXPECT_EQ(*Read({1, 2}), 2u);
    Kill();
    Open();
    EXPECT_THAT(LoadIds(), ElementsAre(1, 2)) << name;
  }
}

TEST_F(StoreWriterTest, WritesNothingIntoAReplacedDatabase) {
  Open();
  Insert(1);
  std::filesystem::rename(File("tasks.db"), File("mine"));
  std::filesystem::copy_file(File("mine"), File("tasks.db"));
  const StoreReport report = Insert(2);
  EXPECT_EQ(report.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(report.status.message()), HasSubstr("was replaced while it was open"));
  EXPECT_EQ(report.through, 1u);
  // It would be replayed on top of the other file.
  EXPECT_EQ(std::filesystem::file_size(File("tasks.db-wal")), 0u);
  std::filesystem::rename(File("mine"), File("tasks.db"));
  EXPECT_TRUE(Advance().status.ok());
  EXPECT_EQ(Advance().through, 2u);
}

TEST_F(StoreWriterTest, SaysThatAFileWasCutShort) {
  Open();
  Insert(1);
  std::filesystem::resize_file(File("tasks.db-wal"), 100);
  EXPECT_THAT(std::string(Insert(2).status.message()), HasSubstr("tasks.db-wal was cut short"));
  EXPECT_EQ(Advance().status.code(), absl::StatusCode::kDataLoss);
  Close();
  Open();
  Insert(3, std::string(100'000, 's'));
  Close();
  Open();
  Advance();
  std::filesystem::resize_file(File("tasks.db"), 8192);
  EXPECT_THAT(std::string(Insert(4).status.message()), HasSubstr("tasks.db was cut short"));
  Close();
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreWriterTest, SaysThatAnotherDaemonTookItsFolder) {
  Open();
  std::filesystem::remove(File("tasks.lock"));
  const auto other = StateLock::Take(options_.state_dir);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(Insert(1).status.code(), absl::StatusCode::kFailedPrecondition);
}

// What it finds at its start.

TEST_F(StoreWriterTest, SaysThatADatabaseWasEmptied) {
  Open();
  Insert(1);
  Close();
  std::filesystem::remove(File("tasks.db"));
  EXPECT_THAT(LogOfOpening(), HasSubstr("the task database is empty, though there was one"));
  EXPECT_EQ(writer_->start_number(), 2u);
  Close();
  EXPECT_EQ(LogOfOpening(), "");
  EXPECT_EQ(writer_->start_number(), 3u);
}

TEST_F(StoreWriterTest, SaysThatALogIsGoneAfterAKill) {
  Open();
  Close();
  Open();
  Insert(1);
  Kill();
  std::filesystem::remove(File("tasks.db-wal"));
  EXPECT_THAT(LogOfOpening(), HasSubstr("the log of the task database is gone"));
  Kill();
  EXPECT_EQ(LogOfOpening(), "");
}

TEST_F(StoreWriterTest, SaysThatADatabaseCameFromACopy) {
  Open();
  Close();
  std::filesystem::copy_file(File("tasks.db"), File("copy"));
  Open();
  Close();
  std::filesystem::rename(File("copy"), File("tasks.db"));
  EXPECT_THAT(LogOfOpening(), HasSubstr("older than its last use"));
  EXPECT_EQ(writer_->start_number(), 3u);
}

TEST_F(StoreWriterTest, StartsWithTheLockFileOfAVersionBefore) {
  Open();
  Close();
  std::ofstream(File("tasks.lock")).flush();
  EXPECT_EQ(LogOfOpening(), "");
  EXPECT_EQ(writer_->start_number(), 2u);
}

// Room.

TEST_F(StoreWriterTest, KeepsABallastAndReportsALackOfRoom) {
  VolumeSpace volume = {.available_bytes = 500 * kMiB, .total_bytes = 1000 * kMiB};
  PretendVolume(&volume);
  Open();
  EXPECT_EQ(std::filesystem::file_size(File("tasks.reserve")), uintmax_t{8 * kMiB});
  EXPECT_TRUE(Insert(1).room.ok());
  volume.available_bytes = 63 * kMiB;
  const StoreReport report = Insert(2);
  EXPECT_TRUE(report.status.ok());
  EXPECT_EQ(report.through, 2u);
  EXPECT_EQ(report.room.code(), absl::StatusCode::kResourceExhausted);
  // The log has gone into the database, to give back its room.
  EXPECT_EQ(std::filesystem::file_size(File("tasks.db-wal")), 0u);
  volume.available_bytes = 500 * kMiB;
  EXPECT_TRUE(Advance().room.ok());
}

TEST_F(StoreWriterTest, LetsNewTasksWaitForRoomAndNothingElse) {
  VolumeSpace volume = {.available_bytes = 500 * kMiB, .total_bytes = 1000 * kMiB};
  PretendVolume(&volume);
  Open();
  Insert(1);
  Insert(2);
  volume.available_bytes = 10 * kMiB;
  const StoreReport report =
      Advance({Write(Kind::kInsert, 3), Write(Kind::kUpdate, 1, "", 7), Write(Kind::kDelete, 2)});
  EXPECT_TRUE(report.status.ok());
  EXPECT_EQ(report.through, 2u);
  EXPECT_THAT(LoadIds(), ElementsAre(1));
  EXPECT_THAT(LoadIds({.ended_before_us = 8}), ElementsAre());
  volume.available_bytes = 500 * kMiB;
  EXPECT_EQ(Advance().through, 5u);
}

TEST_F(StoreWriterTest, MakesTheBallastAnewWhenItWasDeleted) {
  Open();
  std::filesystem::remove(File("tasks.reserve"));
  EXPECT_TRUE(Advance().status.ok());
  EXPECT_TRUE(std::filesystem::exists(File("tasks.reserve")));
  EXPECT_TRUE(Advance().room.ok());
}

TEST_F(StoreWriterTest, GivesTheVolumeBackWhatItDeleted) {
  VolumeSpace volume = {.available_bytes = 500 * kMiB, .total_bytes = 1000 * kMiB};
  PretendVolume(&volume);
  Open();
  for (uint64_t id = 1; id <= 20; ++id) Insert(id, std::string(kMiB, 's'));
  volume.available_bytes = 10 * kMiB;
  std::vector<StoreWrite> deletes;
  for (uint64_t id = 1; id <= 20; ++id) deletes.push_back(Write(Kind::kDelete, id));
  EXPECT_TRUE(Advance(deletes).status.ok());
  EXPECT_LT(std::filesystem::file_size(File("tasks.db")), uintmax_t{kMiB});
}

TEST_F(StoreWriterTest, ShrinksSlowlyWhileNothingIsToBeWritten) {
  Open();
  for (uint64_t id = 1; id <= 20; ++id) Insert(id, std::string(kMiB, 's'));
  std::vector<StoreWrite> deletes;
  for (uint64_t id = 1; id <= 20; ++id) deletes.push_back(Write(Kind::kDelete, id));
  Advance(deletes);
  const auto connection =
      sqlite::Connection::Open(File("tasks.db"), sqlite::Connection::Missing::kRefuse);
  const int64_t before = *connection->QueryNumber("PRAGMA freelist_count");
  Advance();
  const int64_t after = *connection->QueryNumber("PRAGMA freelist_count");
  EXPECT_LT(after, before);
  EXPECT_GE(after, before - 256) << "no more than a step at once";
  for (int seconds = 0; seconds < 20; ++seconds) Advance();
  EXPECT_GT(*connection->QueryNumber("PRAGMA freelist_count") * 4096, 14 * kMiB)
      << "something is kept for what comes next";
}

TEST_F(StoreWriterTest, LetsASmallDatabaseOfBeforeShrink) {
  {
    const auto old =
        sqlite::Connection::Open(File("tasks.db"), sqlite::Connection::Missing::kCreate);
    ASSERT_TRUE(old->Execute(std::string("PRAGMA application_id = 0x47525654;"
                                         "PRAGMA user_version = 2; PRAGMA journal_mode = WAL;") +
                             kCreateTables)
                    .ok());
  }
  Open();
  const auto connection =
      sqlite::Connection::Open(File("tasks.db"), sqlite::Connection::Missing::kRefuse);
  EXPECT_EQ(*connection->QueryNumber("PRAGMA auto_vacuum"), 2);
}

// A quota or a limit of the file's size: the volume tells nothing of it.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_ = {};
};

TEST_F(StoreWriterTest, RecoversFromALimitThatTheVolumeDoesNotTell) {
  Open();
  std::vector<uint64_t> stored;
  {
    const FileSizeLimit limit(4 * kMiB);
    uint64_t id = 0;
    while (Insert(++id, std::string(100'000, 's')), Advance().through == ticket_) {
      stored.push_back(id);
    }
    ASSERT_GT(stored.size(), 5u);
    EXPECT_EQ(Advance().room.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(LoadIds().size(), stored.size());
    std::vector<StoreWrite> deletes;
    deletes.reserve(stored.size());
    for (const uint64_t each : stored) deletes.push_back(Write(Kind::kDelete, each));
    const StoreReport report = Advance(deletes);
    EXPECT_TRUE(report.status.ok()) << report.status;
    EXPECT_EQ(report.through, ticket_);
    EXPECT_THAT(LoadIds(), ElementsAre(id));
  }
  EXPECT_TRUE(Advance().room.ok());
}

TEST_F(StoreWriterTest, SaysWhatAFailingDiskSays) {
  Open();
  testing::internal::CaptureStderr();
  {
    // The captured log fits.
    const FileSizeLimit limit(100'000);
    EXPECT_FALSE(Insert(1, std::string(200'000, 's')).status.ok());
    EXPECT_FALSE(Advance().status.ok());
  }
  EXPECT_TRUE(Advance().status.ok());
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr("the task store fails"));
  EXPECT_THAT(lines, HasSubstr("the task store works again"));
}

}  // namespace
}  // namespace grove::tasks
