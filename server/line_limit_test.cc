#include "server/line_limit.h"

#include "gtest/gtest.h"

namespace grove {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(LineLimit, AdmitsTheFirstAndThenOneAPeriodWithTheCountOfThoseLeftOut) {
  LineLimit limit(absl::Seconds(10));
  EXPECT_EQ(limit.AdmitAt(5 * kSecond), 1);
  EXPECT_EQ(limit.AdmitAt(5 * kSecond), std::nullopt);
  EXPECT_EQ(limit.AdmitAt(15 * kSecond - 1), std::nullopt);
  EXPECT_EQ(limit.AdmitAt(15 * kSecond), 3);
  EXPECT_EQ(limit.AdmitAt(16 * kSecond), std::nullopt);
  EXPECT_EQ(limit.AdmitAt(60 * kSecond), 2);
  EXPECT_EQ(limit.AdmitAt(80 * kSecond), 1);
}

TEST(LineLimit, AdmitsByTheMonotonicClock) {
  LineLimit limit(absl::Hours(1));
  EXPECT_EQ(limit.Admit(), 1);
  EXPECT_EQ(limit.Admit(), std::nullopt);
}

}  // namespace
}  // namespace grove
