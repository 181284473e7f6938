#include "server/function.h"

#include "gtest/gtest.h"

namespace grove {
namespace {

TEST(RetryAfter, CarriesItsDelay) {
  const absl::Status error = RetryAfter(absl::Milliseconds(2500), "the mailbox is full");
  EXPECT_TRUE(absl::IsUnavailable(error));
  EXPECT_EQ(error.message(), "the mailbox is full");
  EXPECT_EQ(RetryAfterOf(error), absl::Milliseconds(2500));
  EXPECT_FALSE(IsNeverAgain(error));
}

TEST(RetryAfter, IsNeitherNegativeNorForEver) {
  EXPECT_EQ(RetryAfterOf(RetryAfter(-absl::Seconds(1), "")), absl::ZeroDuration());
  EXPECT_EQ(RetryAfterOf(RetryAfter(absl::InfiniteDuration(), "")), absl::Hours(366 * 24));
}

TEST(NeverAgain, IsKnownByMoreThanItsCode) {
  EXPECT_TRUE(IsNeverAgain(NeverAgain("no such account")));
  EXPECT_EQ(NeverAgain("no such account").message(), "no such account");
  EXPECT_FALSE(IsNeverAgain(absl::FailedPreconditionError("no such account")));
  EXPECT_EQ(RetryAfterOf(NeverAgain("")), std::nullopt);
}

}  // namespace
}  // namespace grove
