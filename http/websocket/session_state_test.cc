#include "http/websocket/session_state.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

using enum SessionPhase;

constexpr SessionPhase kAll[] = {kOpen, kCloseSent, kReadEnded, kClosed};
static_assert(std::size(kAll) == kSessionPhases);
constexpr FunctionPhase kFunctions[] = {FunctionPhase::kReady, FunctionPhase::kBusy,
                                        FunctionPhase::kEnded};
static_assert(std::size(kFunctions) == kFunctionPhases);

// Written down a second time, as a list: what is not here must not happen.
bool IsLegal(SessionPhase from, SessionPhase to) {
  return (from == kOpen && to == kCloseSent) || (from == kOpen && to == kReadEnded) ||
         (from == kCloseSent && to == kClosed) || (from == kReadEnded && to == kClosed);
}

SessionState In(SessionPhase phase) {
  SessionState state;
  if (phase == kCloseSent || phase == kClosed) state.SendClose();
  if (phase == kReadEnded || phase == kClosed) state.EndRead();
  EXPECT_EQ(state.phase(), phase);
  return state;
}

TEST(SessionState, TakesTheStepsOfTheTableAndNoOthers) {
  for (const SessionPhase from : kAll) {
    for (const SessionPhase to : kAll) {
      EXPECT_EQ(SessionState::MayFollow(from, to), IsLegal(from, to))
          << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}

TEST(SessionStateDeathTest, IllegalStepsEndTheProcess) {
  GTEST_FLAG_SET(death_test_style, "fast");
  for (const SessionPhase from : kAll) {
    for (const SessionPhase to : kAll) {
      SessionState state = In(from);
      if (IsLegal(from, to)) {
        state.Enter(to);
        EXPECT_EQ(state.phase(), to);
      } else {
        EXPECT_DEATH(state.Enter(to), "a step that its phases do not have");
      }
    }
  }
}

TEST(SessionState, ClosesInEitherOrder) {
  SessionState ours;
  ours.SendClose();
  EXPECT_EQ(ours.phase(), kCloseSent);
  ours.EndRead();
  EXPECT_EQ(ours.phase(), kClosed);
  SessionState theirs;
  theirs.EndRead();
  EXPECT_EQ(theirs.phase(), kReadEnded);
  theirs.SendClose();
  EXPECT_EQ(theirs.phase(), kClosed);
}

TEST(SessionStateDeathTest, NeitherDirectionEndsTwice) {
  GTEST_FLAG_SET(death_test_style, "fast");
  EXPECT_DEATH(In(kCloseSent).SendClose(), "a step that its phases do not have");
  EXPECT_DEATH(In(kReadEnded).EndRead(), "a step that its phases do not have");
}

TEST(SessionState, SaysWhichDirectionHasEnded) {
  EXPECT_FALSE(In(kOpen).closing());
  EXPECT_TRUE(In(kCloseSent).close_sent());
  EXPECT_FALSE(In(kCloseSent).read_ended());
  EXPECT_FALSE(In(kReadEnded).close_sent());
  EXPECT_TRUE(In(kReadEnded).read_ended());
  EXPECT_TRUE(In(kClosed).close_sent());
  EXPECT_TRUE(In(kClosed).read_ended());
}

TEST(SessionStateDeathTest, NothingFollowsAFunctionsEnd) {
  GTEST_FLAG_SET(death_test_style, "fast");
  for (const FunctionPhase from : kFunctions) {
    for (const FunctionPhase to : kFunctions) {
      SessionState state;
      state.Enter(from);
      if (from == FunctionPhase::kEnded) {
        EXPECT_DEATH(state.Enter(to), "goes on after its end");
      } else {
        state.Enter(to);
        EXPECT_EQ(state.function(), to);
      }
    }
  }
}

}  // namespace
}  // namespace grove::http::websocket
