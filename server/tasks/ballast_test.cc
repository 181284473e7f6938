// The ballast in the store's hands, on a real volume: a tmpfs, where mounting one is permitted.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "server/tasks/sqlite_store.h"
#include "server/tasks/store_fixture.h"

namespace grove::tasks {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

// Mounts of this process alone.
bool EnterOwnMounts() {
  const uid_t uid = geteuid();
  if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (uid != 0) std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

class FullVolumeTest : public StoreFixture {
 protected:
  static void SetUpTestSuite() { may_mount_ = EnterOwnMounts(); }

  void SetUp() override {
    StoreFixture::SetUp();
    if (!may_mount_ || mount("tmpfs", options_.state_dir.c_str(), "tmpfs", 0, "size=40m") != 0) {
      GTEST_SKIP() << "no tmpfs can be mounted here";
    }
    mounted_ = true;
  }
  void TearDown() override {
    Close();
    if (mounted_) umount(options_.state_dir.c_str());
    StoreFixture::TearDown();
  }

  // Tasks of 20 kB until the store says that there is no room.
  void Fill() {
    StoreReport report;
    do {
      std::vector<StoreWrite> writes;
      for (int i = 0; i < 10; ++i) {
        live_.push_back(++id_);
        writes.push_back(Write(Kind::kInsert, id_, std::string(20'000, 's')));
      }
      report = Advance(std::move(writes));
      ASSERT_TRUE(report.status.ok()) << report.status;
      ASSERT_EQ(report.through, ticket_);
    } while (report.room.ok());
  }
  // All that is there ends, with an output of this size.
  StoreReport End(size_t output_bytes) {
    std::vector<StoreWrite> writes;
    for (const uint64_t id : live_) {
      writes.push_back(Write(Kind::kUpdate, id, "", /*end_time_us=*/1));
      writes.back().task.progress.task = std::string(output_bytes, 'o');
    }
    return Advance(std::move(writes));
  }
  StoreReport DeleteAll() {
    std::vector<StoreWrite> writes;
    for (const uint64_t id : live_) writes.push_back(Write(Kind::kDelete, id));
    live_.clear();
    return Advance(std::move(writes));
  }
  // Whatever is left of the volume is somebody else's.
  void FillTheRest() {
    std::ofstream file(File("others"), std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), block.size()).flush()) {
    }
  }

  static bool may_mount_;
  bool mounted_ = false;
  uint64_t id_ = 0;
  std::vector<uint64_t> live_;
};

bool FullVolumeTest::may_mount_ = false;

TEST_F(FullVolumeTest, IsAcceptedAgainWhenTheRetentionHasPassed) {
  Open();
  for (int round = 0; round < 2; ++round) {
    Fill();
    ASSERT_GT(live_.size(), 1000u);
    EXPECT_EQ(End(100).through, ticket_);
    EXPECT_EQ(DeleteAll().through, ticket_);
    EXPECT_TRUE(Advance().room.ok()) << round;
  }
}

TEST_F(FullVolumeTest, StartsWhenItIsFullAndFreesByItsRetention) {
  Open();
  Fill();
  EXPECT_TRUE(End(100).status.ok());
  FillTheRest();
  Open();
  EXPECT_EQ(writer_->start_number(), 2u);
  EXPECT_THAT(LoadIds({.ended_before_us = 2}), testing::IsEmpty());
  ticket_ = 0;
  EXPECT_TRUE(Advance().room.ok());
  EXPECT_EQ(Insert(++id_).through, 1u);
  Open();
  EXPECT_EQ(LoadIds().size(), 1u);
}

TEST_F(FullVolumeTest, WritesEndsThatTakeTheLastByteWithItsBallast) {
  Open();
  Fill();
  FillTheRest();
  const StoreReport ended = End(100);
  EXPECT_TRUE(ended.status.ok()) << ended.status;
  EXPECT_EQ(ended.through, ticket_);
  EXPECT_FALSE(ended.room.ok());
  EXPECT_EQ(DeleteAll().through, ticket_);
  EXPECT_TRUE(Advance().room.ok());
  EXPECT_TRUE(std::filesystem::exists(File("tasks.reserve")));
}

TEST_F(FullVolumeTest, GetsOnWhenEndsTakeMoreThanThereIs) {
  Open();
  Fill();
  const StoreReport ended = End(20'000);
  EXPECT_EQ(ended.status.code(), absl::StatusCode::kResourceExhausted) << ended.status;
  // Ends that did not fit wait; what is deleted makes room for them.
  EXPECT_TRUE(DeleteAll().status.ok());
  EXPECT_EQ(Advance().through, ticket_);
  EXPECT_TRUE(Advance().room.ok());
}

TEST_F(FullVolumeTest, StoresNothingMoreWhenMoreIsSpawnedAtOnceThanFits) {
  Open();
  std::vector<StoreWrite> writes;
  for (int i = 1; i <= 4000; ++i) {
    writes.push_back(Write(Kind::kInsert, i, std::string(20'000, 's')));
  }
  const StoreReport report = Advance(std::move(writes));
  EXPECT_TRUE(report.status.ok()) << report.status;
  EXPECT_FALSE(report.room.ok());
  EXPECT_GT(report.through, 1000u);
  // What was stored can end and go.
  for (uint64_t id = 1; id <= report.through; ++id) live_.push_back(id);
  const uint64_t stored = report.through;
  EXPECT_TRUE(End(100).status.ok());
  EXPECT_GT(DeleteAll().through, stored);
}

TEST_F(FullVolumeTest, StartsAfterAKillInTheMiddle) {
  Open();
  Fill();
  FillTheRest();
  // What a killed process leaves: its files, the lock free.
  const std::string copy = options_.state_dir + ".copy";
  std::filesystem::copy(options_.state_dir, copy);
  Close();
  for (const auto& file : std::filesystem::directory_iterator(copy)) {
    std::filesystem::copy_file(file.path(), File(file.path().filename()),
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::filesystem::remove_all(copy);
  Open();
  EXPECT_EQ(LoadIds().size(), live_.size());
}

}  // namespace
}  // namespace grove::tasks
