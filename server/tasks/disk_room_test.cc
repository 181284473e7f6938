#include "server/tasks/disk_room.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

class DiskRoomTest : public ::testing::Test {
 protected:
  void Measure(int64_t available, int64_t reusable = 0, int64_t pending = 0) {
    room_.Measure({.available_bytes = available, .total_bytes = 1000 * kMiB}, reusable, pending,
                  /*ballast_held=*/true);
  }

  DiskRoom room_{"/state", 64 * kMiB, {.available_bytes = 500 * kMiB, .total_bytes = 1000 * kMiB}};
};

TEST_F(DiskRoomTest, KeepsATenthOfASmallVolume) {
  EXPECT_EQ(room_.reserve_bytes(), 64 * kMiB);
  EXPECT_EQ(room_.ballast_bytes(), 8 * kMiB);
  const DiskRoom small("/state", 64 * kMiB, {.total_bytes = 100 * kMiB});
  EXPECT_EQ(small.reserve_bytes(), 10 * kMiB);
  EXPECT_EQ(small.ballast_bytes(), 5 * kMiB);
}

TEST_F(DiskRoomTest, IsLowBelowTheReserveUntilALittleMoreIsFree) {
  Measure(64 * kMiB);
  EXPECT_TRUE(room_.status().ok());
  Measure(64 * kMiB - 1);
  EXPECT_EQ(room_.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(room_.status().message()), testing::HasSubstr("65535 KiB in /state"));
  Measure(72 * kMiB - 1);
  EXPECT_TRUE(room_.IsLow());
  Measure(72 * kMiB);
  EXPECT_FALSE(room_.IsLow());
}

TEST_F(DiskRoomTest, CountsWhatTheDatabaseCanUseAgain) {
  Measure(32 * kMiB, 32 * kMiB);
  EXPECT_FALSE(room_.IsLow());
  EXPECT_FALSE(room_.WantsShrinking());
  // The log cannot live in the database's free pages.
  Measure(16 * kMiB - 1, 500 * kMiB);
  EXPECT_TRUE(room_.IsLow());
  EXPECT_TRUE(room_.WantsShrinking());
}

TEST_F(DiskRoomTest, CountsWhatWaits) {
  Measure(100 * kMiB, 0, 36 * kMiB);
  EXPECT_FALSE(room_.IsLow());
  Measure(100 * kMiB, 0, 36 * kMiB + 1);
  EXPECT_TRUE(room_.IsLow());
}

TEST_F(DiskRoomTest, IsLowAsLongAsTheBallastIsMissing) {
  room_.Measure({.available_bytes = 500 * kMiB}, 0, 0, /*ballast_held=*/false);
  EXPECT_TRUE(room_.IsLow());
  EXPECT_TRUE(room_.WantsShrinking());
  EXPECT_TRUE(room_.HasRoomForBallast());
  room_.Measure({.available_bytes = 24 * kMiB - 1}, 0, 0, /*ballast_held=*/false);
  EXPECT_FALSE(room_.HasRoomForBallast());
}

TEST_F(DiskRoomTest, KeepsAPartOfTheReserveFromNewTasks) {
  Measure(16 * kMiB + 1000);
  EXPECT_EQ(room_.insert_bytes_max(), 500);
  Measure(10 * kMiB);
  EXPECT_EQ(room_.insert_bytes_max(), 0);
}

TEST_F(DiskRoomTest, AVolumeWithoutASizeIsNeverShort) {
  DiskRoom endless("/state", 64 * kMiB, {});
  endless.Measure({}, 64 * kMiB, 0, /*ballast_held=*/true);
  EXPECT_FALSE(endless.IsLow());
}

TEST(ProbeVolume, TellsTheSizeOfAVolume) {
  const VolumeSpace space = ProbeVolume(testing::TempDir());
  EXPECT_GT(space.total_bytes, 0);
  EXPECT_LE(space.available_bytes, space.total_bytes);
  EXPECT_EQ(ProbeVolume("/nowhere").available_bytes, INT64_MAX);
}

}  // namespace
}  // namespace grove::tasks
