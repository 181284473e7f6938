#include "server/functions/retry_after.h"

#include "gtest/gtest.h"

namespace grove::functions {
namespace {

absl::Duration In(std::string value) {
  const absl::Time now = absl::FromUnixSeconds(784'111'717);  // Sun, 06 Nov 1994 08:48:37 GMT
  return RetryAfterIn({.headers = {{"X", "9"}, {"retry-AFTER", std::move(value)}}}, now);
}

TEST(RetryAfterIn, TakesSecondsAndDates) {
  EXPECT_EQ(In("7"), absl::Seconds(7));
  EXPECT_EQ(In("0"), absl::ZeroDuration());
  EXPECT_EQ(In("Sun, 06 Nov 1994 08:49:37 GMT"), absl::Seconds(60));
  EXPECT_EQ(In("Sun, 06 Nov 1994 08:48:00 GMT"), absl::ZeroDuration()) << "over";
}

TEST(RetryAfterIn, BelievesNoNonsense) {
  for (const char* bad : {"", "-5", "soon", "1e9", "Sun, 06 Nov"}) {
    EXPECT_EQ(In(bad), absl::ZeroDuration()) << bad;
  }
  EXPECT_EQ(In("999999999999"), absl::Hours(366 * 24));
  EXPECT_EQ(RetryAfterIn({}, absl::Now()), absl::ZeroDuration());
}

}  // namespace
}  // namespace grove::functions
