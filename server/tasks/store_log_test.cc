#include "server/tasks/store_log.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

using Say = Alternation::Say;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Alternation, SaysEachChangeOnce) {
  Alternation alternation;
  EXPECT_EQ(alternation.See(false, 0), Say::kNothing);
  EXPECT_EQ(alternation.See(true, 1), Say::kBad);
  EXPECT_EQ(alternation.See(true, 20'000), Say::kNothing);
  EXPECT_EQ(alternation.See(false, 20'001), Say::kGood);
  EXPECT_EQ(alternation.See(false, 20'002), Say::kNothing);
}

TEST(Alternation, SaysWhatGoesToAndFroOnceInAWhile) {
  Alternation alternation;
  EXPECT_EQ(alternation.See(true, 0), Say::kBad);
  EXPECT_EQ(alternation.See(false, 1), Say::kGood);
  EXPECT_EQ(alternation.See(true, 2), Say::kNothing);
  EXPECT_EQ(alternation.See(false, 3), Say::kNothing);
  EXPECT_EQ(alternation.See(true, Alternation::kQuietMs - 1), Say::kNothing);
  EXPECT_EQ(alternation.See(true, Alternation::kQuietMs), Say::kBad);
}

TEST(StoreLog, SaysThatAStoreFailsAndThatItHasNoRoom) {
  StoreLog log("/state/tasks.db");
  testing::internal::CaptureStderr();
  log.Tell({.status = absl::UnavailableError("the disk is gone")}, 0);
  log.Tell({.status = absl::UnavailableError("the disk is gone")}, 1000);
  log.Tell({.room = absl::ResourceExhaustedError("1 KiB")}, 2000);
  log.Tell({}, 3000);
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 4);
  EXPECT_THAT(lines, AllOf(HasSubstr("error grove \"the task store fails"),
                           HasSubstr("file=/state/tasks.db error=\"the disk is gone\""),
                           HasSubstr("info grove \"the task store works again\""),
                           HasSubstr("warning grove \"no room for new durable tasks\""),
                           HasSubstr("info grove \"room for new durable tasks again\"")));
}

}  // namespace
}  // namespace grove::tasks
