#include "server/metrics/exits.h"

#include <string>

#include "gtest/gtest.h"

namespace grove::metrics {
namespace {

TEST(Exits, CountsByReasonAndKeepsTheLast) {
  Exits exits{};
  EXPECT_EQ(exits.LastText(), "");
  exits.Count(ExitReason::kCrash, "crash: signal 11 (Segmentation fault)", 5);
  exits.Count(ExitReason::kReload, "reload: exit code 0", 7);
  EXPECT_EQ(exits.LastText(), "reload: exit code 0");
  EXPECT_EQ(exits.last_time_us.load(), 7);
  EXPECT_EQ(exits.counts[static_cast<size_t>(ExitReason::kCrash)].load(), 1u);
  EXPECT_EQ(exits.counts[static_cast<size_t>(ExitReason::kStuck)].load(), 0u);
}

TEST(Exits, CutsALongText) {
  Exits exits{};
  exits.Count(ExitReason::kCrash, std::string(500, 'x'), 1);
  EXPECT_EQ(exits.LastText(), std::string(127, 'x'));
}

}  // namespace
}  // namespace grove::metrics
