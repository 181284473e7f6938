#include "runtime/repeat/looping_value.h"

#include <string>

#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using LoopingValueTest = HubTest;
using Text = LoopingValue<std::string>;

// A value at the given call, nothing before.
Text::Body At(int call) {
  return [call, calls = 0]() mutable -> absl::StatusOr<std::optional<std::string>> {
    if (++calls < call) return std::nullopt;
    return std::to_string(calls);
  };
}

TEST_F(LoopingValueTest, WaitGivesTheValueThatEndedTheLoop) {
  Run([] {
    Text loop = Text::FixedInterval(absl::Seconds(1), At(3));
    ASSERT_TRUE(loop.Start().ok());
    EXPECT_EQ(*loop.Wait(), "3");
    EXPECT_EQ(*loop.Wait(), "3");
    Text pausing = Text::Backoff(
        {}, [] { return 0.5; }, At(2));
    ASSERT_TRUE(pausing.Start().ok());
    EXPECT_EQ(*pausing.Wait(), "2");
    EXPECT_EQ(pausing.counts().runs, 2u);
  });
}

TEST_F(LoopingValueTest, StoppedOrFailedItHasNone) {
  Run([] {
    Text loop = Text::FixedInterval(absl::Seconds(1), At(3));
    ASSERT_TRUE(loop.Start().ok());
    loop.Stop();
    EXPECT_TRUE(absl::IsCancelled(loop.Wait().status()));
    Text failing = Text::FixedInterval(
        absl::Seconds(1),
        []() -> absl::StatusOr<std::optional<std::string>> { return absl::NotFoundError("no"); });
    ASSERT_TRUE(failing.Start().ok());
    EXPECT_EQ(failing.Wait().status(), absl::NotFoundError("no"));
  });
}

}  // namespace
}  // namespace grove
