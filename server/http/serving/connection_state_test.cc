#include "server/http/serving/connection_state.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

using Phase = ConnectionState::Phase;
using enum ConnectionPhase;

constexpr Phase kAll[] = {kAccepted, kOpening,  kFresh,    kIdle,      kHead,
                          kHandler,  kSwitched, kAnswered, kLingering, kClosing};
static_assert(std::size(kAll) == kConnectionPhases);

struct Step {
  Phase from;
  Phase to;
};

// Written down a second time, as a list: what is not here must not happen.
constexpr Step kLegal[] = {
    {kAccepted, kOpening},   {kAccepted, kFresh},   {kOpening, kFresh},     {kOpening, kLingering},
    {kOpening, kClosing},    {kFresh, kHead},       {kFresh, kClosing},     {kIdle, kHead},
    {kIdle, kClosing},       {kHead, kHandler},     {kHead, kLingering},    {kHead, kClosing},
    {kHandler, kSwitched},   {kHandler, kAnswered}, {kHandler, kLingering}, {kHandler, kClosing},
    {kSwitched, kLingering}, {kSwitched, kClosing}, {kAnswered, kIdle},     {kAnswered, kHead},
    {kLingering, kClosing},
};

bool IsLegal(Phase from, Phase to) {
  return std::any_of(std::begin(kLegal), std::end(kLegal),
                     [&](const Step& step) { return step.from == from && step.to == to; });
}

// By legal steps from kAccepted.
ConnectionState In(Phase phase) {
  const std::vector<Phase> ways[] = {{},
                                     {kOpening},
                                     {kFresh},
                                     {kFresh, kHead, kHandler, kAnswered, kIdle},
                                     {kFresh, kHead},
                                     {kFresh, kHead, kHandler},
                                     {kFresh, kHead, kHandler, kSwitched},
                                     {kFresh, kHead, kHandler, kAnswered},
                                     {kFresh, kHead, kHandler, kLingering},
                                     {kFresh, kClosing}};
  ConnectionState state;
  for (const Phase step : ways[static_cast<size_t>(phase)]) state.Enter(step);
  EXPECT_EQ(state.phase(), phase);
  return state;
}

TEST(ConnectionState, TakesTheStepsOfTheTableAndNoOthers) {
  for (const Phase from : kAll) {
    for (const Phase to : kAll) {
      EXPECT_EQ(ConnectionState::MayFollow(from, to), IsLegal(from, to))
          << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}

TEST(ConnectionState, EveryLegalStepIsTaken) {
  for (const Step& step : kLegal) {
    ConnectionState state = In(step.from);
    state.Enter(step.to);
    EXPECT_EQ(state.phase(), step.to);
  }
}

TEST(ConnectionStateDeathTest, IllegalStepsEndTheProcess) {
  GTEST_FLAG_SET(death_test_style, "fast");
  for (const Phase from : kAll) {
    for (const Phase to : kAll) {
      if (IsLegal(from, to)) continue;
      ConnectionState state = In(from);
      EXPECT_DEATH(state.Enter(to), "a step that its phases do not have");
    }
  }
}

TEST(ConnectionStateDeathTest, AMoveFromAnotherPhaseEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "fast");
  ConnectionState state = In(kHead);
  state.Move<kHead, kHandler>();
  EXPECT_EQ(state.phase(), kHandler);
  EXPECT_DEATH((state.Move<kHead, kHandler>()), "another phase than its code believes");
}

TEST(ConnectionState, NothingFollowsTheEnd) {
  for (const Phase to : kAll) EXPECT_FALSE(ConnectionState::MayFollow(kClosing, to));
}

TEST(ConnectionState, AwaitsARequestWhereNothingOfOneIsHere) {
  std::vector<Phase> awaiting;
  std::copy_if(std::begin(kAll), std::end(kAll), std::back_inserter(awaiting),
               [](Phase phase) { return In(phase).AwaitsRequest(); });
  EXPECT_EQ(awaiting, (std::vector<Phase>{kOpening, kFresh, kIdle}));
}

TEST(ConnectionState, BeginsToDrainOnceInWhateverPhase) {
  for (const Phase phase : kAll) {
    ConnectionState state = In(phase);
    EXPECT_TRUE(state.BeginDrain());
    EXPECT_FALSE(state.BeginDrain());
    EXPECT_TRUE(state.draining());
    EXPECT_EQ(state.phase(), phase);
  }
}

TEST(ConnectionState, WatchEndsWithItsRequest) {
  ConnectionState state = In(kHandler);
  EXPECT_FALSE(state.EndWatch());
  EXPECT_TRUE(state.BeginWatch());
  EXPECT_TRUE(state.EndWatch());
  EXPECT_FALSE(state.EndWatch());
  EXPECT_FALSE(state.client_gone());
}

TEST(ConnectionState, AClientThatIsGoneStaysGone) {
  ConnectionState state = In(kHandler);
  EXPECT_TRUE(state.BeginWatch());
  state.NoteClientGone();
  EXPECT_TRUE(state.EndWatch()) << "there is a watch to take away";
  EXPECT_TRUE(state.client_gone());
  EXPECT_FALSE(state.BeginWatch());
}

TEST(ConnectionStateDeathTest, OnlyAHandlersClientIsWatched) {
  GTEST_FLAG_SET(death_test_style, "fast");
  for (const Phase phase : kAll) {
    if (phase == kHandler || phase == kSwitched) continue;
    ConnectionState state = In(phase);
    EXPECT_DEATH(state.BeginWatch(), "watched where no handler runs");
    EXPECT_DEATH(state.NoteClientGone(), "nobody watches for");
  }
}

}  // namespace
}  // namespace grove::http
