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

TEST(Suspension, CarriesItsBoundAndItsTasks) {
  const auto sleep = SuspensionOf(SuspendFor(absl::Milliseconds(1500)));
  ASSERT_TRUE(sleep.has_value());
  EXPECT_EQ(sleep->at_most, absl::Milliseconds(1500));
  EXPECT_TRUE(sleep->tasks.empty());
  const auto wait = SuspensionOf(SuspendUntilEnded({"a", "b"}));
  ASSERT_TRUE(wait.has_value());
  EXPECT_EQ(wait->at_most, std::nullopt);
  EXPECT_EQ(wait->tasks, (std::vector<std::string>{"a", "b"}));
  const auto both = SuspensionOf(SuspendUntilEnded({"a"}, absl::Seconds(2)));
  EXPECT_EQ(both->at_most, absl::Seconds(2));
  EXPECT_EQ(both->tasks.size(), 1u);
}

TEST(Suspension, IsNeitherNegativeNorForEver) {
  EXPECT_EQ(SuspensionOf(SuspendFor(-absl::Seconds(1)))->at_most, absl::ZeroDuration());
  EXPECT_EQ(SuspensionOf(SuspendFor(absl::InfiniteDuration()))->at_most, absl::Hours(366 * 24));
  EXPECT_EQ(SuspensionOf(SuspendUntilEnded({}, -absl::Seconds(1)))->at_most, absl::ZeroDuration());
  EXPECT_FALSE(SuspensionOf(absl::AbortedError("lost")).has_value());
}

}  // namespace
}  // namespace grove
