#include "server/control/program_choice.h"

#include "gtest/gtest.h"

namespace grove::control {
namespace {

constexpr MonotonicNanos kSecond = 1'000'000'000;
constexpr MonotonicNanos kAfter = 60 * kSecond;

class ProgramChoiceTest : public testing::Test {
 protected:
  void Link(int32_t worker, int64_t started_ns) {
    internal::v1::Program program;
    program.set_started_ns(started_ns);
    choice_.Linked(worker, program, now_);
  }
  void Unlink(int32_t worker) { choice_.Unlinked(worker, now_); }
  // When it started; 0: nobody speaks.
  int64_t Chosen() {
    const ProgramChoice::ProgramPtr chosen = choice_.Choose(now_);
    return chosen == nullptr ? 0 : chosen->started_ns();
  }

  ProgramChoice choice_;
  MonotonicNanos now_ = kSecond;
};

TEST_F(ProgramChoiceTest, OneThatDoesNotSayWhenItStartedHasNoSay) {
  Link(0, 0);
  EXPECT_EQ(Chosen(), 0);
  Link(1, 5);
  EXPECT_EQ(Chosen(), 5);
}

TEST_F(ProgramChoiceTest, TheNewerSpeaksFromItsFirstWorkerOn) {
  Link(0, 5);
  Link(1, 5);
  EXPECT_EQ(Chosen(), 5);
  Link(0, 9);
  EXPECT_EQ(Chosen(), 9);
  // The other one's link breaks and comes back.
  Unlink(1);
  Link(1, 5);
  EXPECT_EQ(Chosen(), 9);
  EXPECT_EQ(choice_.next_change(), kNever);
}

TEST_F(ProgramChoiceTest, WhatAMissingWorkerSaidCountsForAWhile) {
  Link(0, 9);
  Link(1, 5);
  EXPECT_EQ(Chosen(), 9);
  Unlink(0);
  EXPECT_EQ(choice_.next_change(), now_ + kAfter);
  now_ += kAfter - 1;
  EXPECT_EQ(Chosen(), 9);
  Link(0, 9);
  EXPECT_EQ(choice_.next_change(), kNever);
  now_ += kAfter;
  EXPECT_EQ(Chosen(), 9);
}

TEST_F(ProgramChoiceTest, AnUpgradeThatWentBackLeavesTheOlderOneToSpeak) {
  Link(0, 9);
  Link(1, 5);
  EXPECT_EQ(Chosen(), 9);
  Unlink(0);
  now_ += kAfter / 2;
  // Another of the older one's is no beginning anew.
  Link(0, 5);
  now_ += kAfter / 2;
  EXPECT_EQ(Chosen(), 5);
  EXPECT_EQ(choice_.next_change(), kNever);
}

TEST_F(ProgramChoiceTest, WithoutAWorkerTheLastWordStands) {
  Link(0, 9);
  EXPECT_EQ(Chosen(), 9);
  Unlink(0);
  now_ += 10 * kAfter;
  EXPECT_EQ(Chosen(), 9);
  EXPECT_EQ(choice_.next_change(), kNever);
}

}  // namespace
}  // namespace grove::control
