#include "server/control/refused_tokens.h"

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace grove::control {
namespace {

TEST(RefusedTokens, AnswersWhenTheDelayIsOver) {
  RefusedTokens refused;
  absl::Notification answered;
  const absl::Time start = absl::Now();
  refused.Refuse("peer", "TOKEN_UNKNOWN", [&] { answered.Notify(); });
  EXPECT_FALSE(answered.HasBeenNotified());
  answered.WaitForNotification();
  EXPECT_GE(absl::Now() - start, kRefusalDelay - absl::Milliseconds(50));
  refused.AnswerAll();
  EXPECT_EQ(refused.total(), 1);
}

TEST(RefusedTokens, AnswersAtOnceBeyondItsPlaces) {
  RefusedTokens refused;
  std::atomic<size_t> answered{0};
  for (size_t i = 0; i < kRefusalsDelayedMax; ++i) {
    refused.Refuse("peer", "TOKEN_UNKNOWN", [&] { ++answered; });
  }
  bool at_once = false;
  refused.Refuse("peer", "TOKEN_UNKNOWN", [&] { at_once = true; });
  // Unless this machine took a whole delay for the above.
  EXPECT_TRUE(at_once || answered > 0);
  refused.AnswerAll();
  EXPECT_EQ(answered + (at_once ? 1 : 0), refused.total());
}

TEST(RefusedTokens, DelaysNothingAfterItsEnd) {
  RefusedTokens refused;
  refused.AnswerAll();
  bool answered = false;
  refused.Refuse("peer", "TOKEN_MISSING", [&] { answered = true; });
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace grove::control
