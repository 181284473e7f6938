#include "server/control/watch_limits.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

TEST(WatchLimitsTest, ATenantHasSoManyAndNoMore) {
  WatchLimits limits;
  for (size_t i = 0; i < kTenantWatchesMax; ++i) ASSERT_TRUE(limits.Enter("amber").ok());
  EXPECT_EQ(tasks::RefusalReason(limits.Enter("amber")), "TOO_MANY_WATCHES");
  EXPECT_TRUE(limits.Enter("borage").ok());
  limits.Leave("amber");
  EXPECT_TRUE(limits.Enter("amber").ok());
}

TEST(WatchLimitsTest, TenantsLeaveSomeToTheOperators) {
  WatchLimits limits;
  for (size_t i = 0; i < kTenantsWatchesMax; ++i) {
    ASSERT_TRUE(limits.Enter(absl::StrCat("t", i)).ok());
  }
  EXPECT_EQ(tasks::RefusalReason(limits.Enter("another")), "TOO_MANY_WATCHES");
  for (size_t i = kTenantsWatchesMax; i < kWatchesMax; ++i) ASSERT_TRUE(limits.Enter("").ok());
  EXPECT_EQ(tasks::RefusalReason(limits.Enter("")), "TOO_MANY_WATCHES");
  EXPECT_EQ(limits.open(), kWatchesMax);
}

TEST(WatchLimitsTest, AllTogetherGetAPartOfTheTime) {
  WatchLimits limits;
  EXPECT_EQ(limits.next_turn(), 0);
  limits.Worked(1000, 1100);
  EXPECT_EQ(limits.next_turn(), 1500);
  limits.Worked(1100, 1200);
  EXPECT_EQ(limits.next_turn(), 1900);
  limits.Worked(5000, 5010);
  EXPECT_EQ(limits.next_turn(), 5050);
}

}  // namespace
}  // namespace grove::control
