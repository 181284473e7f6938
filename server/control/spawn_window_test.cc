#include "server/control/spawn_window.h"

#include "gtest/gtest.h"

namespace grove::control {
namespace {

TEST(SpawnWindowTest, ReadsOnUntilAsManyMessagesAreUnanswered) {
  SpawnWindow window;
  for (int64_t i = 1; i < kUnansweredMessagesMax; ++i) EXPECT_TRUE(window.Take(1)) << i;
  EXPECT_FALSE(window.Take(1));
  EXPECT_EQ(window.messages(), kUnansweredMessagesMax);
}

TEST(SpawnWindowTest, ReadsOnUntilAsManyBytesAreUnanswered) {
  SpawnWindow window;
  EXPECT_TRUE(window.Take(kUnansweredBytesMax - 1));
  EXPECT_FALSE(window.Take(1));
}

TEST(SpawnWindowTest, TakesAMessageLargerThanTheBoundAlone) {
  SpawnWindow window;
  EXPECT_FALSE(window.Take(4 * kUnansweredBytesMax));
  EXPECT_TRUE(window.Release(4 * kUnansweredBytesMax));
  EXPECT_TRUE(window.Take(1));
}

TEST(SpawnWindowTest, GoesOnOnceForEachStandstill) {
  SpawnWindow window;
  EXPECT_FALSE(window.Take(kUnansweredBytesMax));
  EXPECT_TRUE(window.Release(kUnansweredBytesMax));
  EXPECT_TRUE(window.Take(5));
  EXPECT_FALSE(window.Release(5));
}

TEST(SpawnWindowTest, AnAnswerMayComeBeforeItsMessageIsCounted) {
  SpawnWindow window;
  EXPECT_FALSE(window.Release(2 * kUnansweredBytesMax));
  EXPECT_TRUE(window.Take(2 * kUnansweredBytesMax));
  EXPECT_EQ(window.messages(), 0);
}

TEST(SpawnWindowTest, StandsStillUntilBothBoundsAreKept) {
  SpawnWindow window;
  window.Take(kUnansweredBytesMax);
  window.Take(10);
  EXPECT_FALSE(window.Release(10));
  EXPECT_TRUE(window.Release(kUnansweredBytesMax));
  EXPECT_EQ(window.bytes(), 0);
}

}  // namespace
}  // namespace grove::control
