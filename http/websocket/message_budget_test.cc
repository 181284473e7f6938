#include "http/websocket/message_budget.h"

#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

using Charge = MessageBudget::Charge;

TEST(MessageBudget, AllowsWhatItHasAndNoByteMore) {
  uint64_t refused = 0;
  MessageBudget budget(100, refused);
  Charge one(&budget);
  Charge other(&budget);
  EXPECT_TRUE(one.Add(60));
  EXPECT_FALSE(other.Add(41));
  EXPECT_EQ(refused, 1u);
  EXPECT_TRUE(other.Add(40));
  EXPECT_FALSE(one.Add(1));
  EXPECT_EQ(budget.used(), 100u);
}

TEST(MessageBudget, GetsItBackOnceWhereverTheChargeWent) {
  uint64_t refused = 0;
  MessageBudget budget(100, refused);
  {
    Charge one(&budget);
    EXPECT_TRUE(one.Add(100));
    Charge other = std::move(one);
    EXPECT_EQ(budget.used(), 100u);
    one = Charge(&budget);
    EXPECT_EQ(budget.used(), 100u);
    other = Charge(&budget);
    EXPECT_EQ(budget.used(), 0u);
    EXPECT_TRUE(one.Add(100)) << "a charge that was moved away is a new one";
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MessageBudget, WithoutOneAnythingGoes) {
  Charge charge;
  EXPECT_TRUE(charge.Add(UINT64_MAX));
  EXPECT_TRUE(charge.Add(UINT64_MAX));
}

}  // namespace
}  // namespace grove::http::websocket
