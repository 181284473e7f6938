#include "server/tasks/task_id.h"

#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

TEST(TaskId, ParsesWhatItPrints) {
  for (TaskId id :
       {TaskId{0, 0}, TaskId{0x0123456789abcdef, 0xfedcba9876543210}, TaskId{~0ull, ~0ull}}) {
    const std::string text = id.ToString();
    EXPECT_EQ(text.size(), TaskId::kTextSize);
    ASSERT_TRUE(TaskId::Parse(text)) << text;
    EXPECT_EQ(*TaskId::Parse(text), id);
  }
  EXPECT_EQ((TaskId{~0ull, ~0ull}.ToString()), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(TaskId, RefusesOtherTexts) {
  EXPECT_FALSE(TaskId::Parse(""));
  EXPECT_FALSE(TaskId::Parse(std::string(25, '0')));
  EXPECT_FALSE(TaskId::Parse(std::string(27, '0')));
  EXPECT_FALSE(TaskId::Parse("8" + std::string(25, '0')));
  EXPECT_FALSE(TaskId::Parse(std::string(25, '0') + "U"));
  EXPECT_FALSE(TaskId::Parse(std::string(25, '0') + "a"));
}

TEST(TaskIdSource, GrowsWithinAMillisecondAndWhenTheClockStepsBack) {
  TaskIdSource source(1);
  TaskId last;
  for (int64_t now_us : {5000000, 5000000, 5000001, 4000000, 6000000, 6000000}) {
    const TaskId id = source.Next(now_us);
    EXPECT_GT(id, last);
    EXPECT_GT(id.ToString(), last.ToString());
    last = id;
  }
  EXPECT_EQ(last.high >> 16, 6000u);
}

TEST(TaskIdSource, DiffersBetweenSeeds) {
  EXPECT_NE(TaskIdSource(1).Next(1), TaskIdSource(2).Next(1));
}

}  // namespace
}  // namespace grove::tasks
