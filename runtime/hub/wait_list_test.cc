#include "runtime/hub/wait_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace grove {
namespace {

class WaitListTest : public ::testing::Test {
 protected:
  WaitListTest() {
    for (Waiter& waiter : waiters_) list_.PushBack(waiter);
  }
  // The places of those that are left, by granting them all.
  std::vector<long> Drain() {
    std::vector<long> places;
    while (Waiter* waiter = list_.Grant()) places.push_back(waiter - waiters_);
    return places;
  }

  Waiter waiters_[4];
  WaitList list_;
};

TEST_F(WaitListTest, GrantsFirstComeFirstServedUntilItIsEmpty) {
  EXPECT_EQ(list_.size(), 4u);
  EXPECT_EQ(list_.front(), &waiters_[0]);
  EXPECT_EQ(Drain(), (std::vector<long>{0, 1, 2, 3}));
  EXPECT_TRUE(list_.empty());
  EXPECT_EQ(list_.size(), 0u);
  EXPECT_EQ(list_.Grant(), nullptr);
}

TEST_F(WaitListTest, WhatWasGrantedIsOffTheListAndKnowsIt) {
  EXPECT_EQ(list_.Grant(), &waiters_[0]);
  EXPECT_TRUE(waiters_[0].granted);
  EXPECT_FALSE(waiters_[0].linked);
  EXPECT_FALSE(waiters_[1].granted);
  EXPECT_EQ(list_.size(), 3u);
}

TEST_F(WaitListTest, OneIsTakenOffTheFrontTheMiddleAndTheBack) {
  for (const int place : {0, 2, 3}) {
    list_.Remove(waiters_[place]);
    EXPECT_FALSE(waiters_[place].linked);
    EXPECT_FALSE(waiters_[place].granted);
  }
  EXPECT_EQ(list_.front(), &waiters_[1]);
  list_.PushBack(waiters_[0]);
  EXPECT_EQ(Drain(), (std::vector<long>{1, 0}));
}

TEST_F(WaitListTest, TakingOffWhatIsNotOnItChangesNothing) {
  Waiter stranger;
  list_.Remove(stranger);
  list_.Remove(waiters_[1]);
  list_.Remove(waiters_[1]);
  EXPECT_EQ(list_.size(), 3u);
  EXPECT_EQ(Drain(), (std::vector<long>{0, 2, 3}));
}

}  // namespace
}  // namespace grove
