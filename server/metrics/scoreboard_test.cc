#include "server/metrics/scoreboard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grove::metrics {
namespace {

TEST(Scoreboard, StartsWithZeroedSlots) {
  auto board = Scoreboard::Create(3);
  ASSERT_TRUE(board.ok()) << board.status();
  EXPECT_EQ(board->workers(), 3);
  EXPECT_EQ(board->slot(2).state, SlotState::kEmpty);
  EXPECT_EQ(board->slot(2).live.hub_turns, 0u);
}

TEST(Scoreboard, GrowsForEveryProcessThatHasIt) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok());
  auto opened = Scoreboard::Open(board->fd());
  ASSERT_TRUE(opened.ok());
  board->stand_in().pid = 7;
  board->Grow(5);
  board->slot(4).pid = 4711;
  EXPECT_EQ(opened->workers(), 5);
  EXPECT_EQ(opened->slot(4).pid, 4711);
  EXPECT_EQ(opened->stand_in().pid, 7);
  board->Grow(3);  // Who was scaled away keeps its totals.
  EXPECT_EQ(opened->workers(), 5);
}

TEST(Scoreboard, OneProcessReadsWhatAnotherWrites) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok());
  const pid_t child = fork();
  if (child == 0) {
    board->slot(1).live.http_responses[200] = 7;
    board->slot(1).fibers = 5;
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(board->slot(1).live.http_responses[200], 7u);
  EXPECT_EQ(board->slot(1).fibers, 5);
}

TEST(Scoreboard, OpenMapsTheSameMemoryUnderADescriptorOfItsOwn) {
  auto board = Scoreboard::Create(1);
  ASSERT_TRUE(board.ok());
  auto opened = Scoreboard::Open(board->fd());
  ASSERT_TRUE(opened.ok()) << opened.status();
  board->slot(0).pid = 4711;
  EXPECT_EQ(opened->slot(0).pid, 4711);
  EXPECT_NE(opened->fd(), board->fd());
  EXPECT_TRUE(fcntl(opened->fd(), F_GETFD) & FD_CLOEXEC);
}

TEST(Scoreboard, OpenRefusesWhatIsNotAScoreboard) {
  const int fd = memfd_create("other", MFD_CLOEXEC);
  EXPECT_EQ(Scoreboard::Open(fd).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(ftruncate(fd, 1 << 20), 0);
  EXPECT_EQ(Scoreboard::Open(fd).status().code(), absl::StatusCode::kFailedPrecondition);
  close(fd);
  EXPECT_FALSE(Scoreboard::Open(-1).ok());
}

TEST(Scoreboard, FoldKeepsTotalsAndClearsTheDeadWorkersLevels) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok());
  WorkerSlot& slot = board->slot(0);
  slot.live.hub_turns = 10;
  slot.live.http_responses[404] = 3;
  slot.live.log_lines_dropped = 2;  // The last counter of the struct.
  slot.live.lag_counts[8] = 4;
  slot.fibers = 12;
  board->slot(1).live.hub_turns = 99;
  board->Fold(0);
  EXPECT_EQ(slot.live.hub_turns, 0u);
  EXPECT_EQ(slot.live.log_lines_dropped, 0u);
  EXPECT_EQ(slot.base.log_lines_dropped, 2u);
  EXPECT_EQ(slot.base.lag_counts[8], 4u);
  EXPECT_EQ(slot.base.http_responses[404], 3u);
  EXPECT_EQ(slot.fibers, 0);
  slot.live.hub_turns = 5;
  EXPECT_EQ(Scoreboard::Total(slot, &WorkerCounters::hub_turns), 15u);
  board->Fold(0);
  EXPECT_EQ(Scoreboard::Total(slot, &WorkerCounters::hub_turns), 15u);
  EXPECT_EQ(board->slot(1).live.hub_turns, 99u);
}

TEST(Scoreboard, AWorkerThatServesOrDrainsIsStuckAfterItsTimeWithoutATurn) {
  auto board = Scoreboard::Create(1, absl::Milliseconds(200));
  ASSERT_TRUE(board.ok());
  WorkerSlot& slot = board->slot(0);
  slot.last_turn_ns = 1'000'000'000;
  for (const SlotState state : {SlotState::kReady, SlotState::kDraining}) {
    slot.state = state;
    EXPECT_FALSE(board->IsStuck(0, 1'200'000'000));
    EXPECT_TRUE(board->IsStuck(0, 1'200'000'001));
    EXPECT_TRUE(Scoreboard::Open(board->fd())->IsStuck(0, 1'200'000'001)) << "as others map it";
  }
  for (const SlotState state : {SlotState::kEmpty, SlotState::kStarting, SlotState::kDown}) {
    slot.state = state;
    EXPECT_FALSE(board->IsStuck(0, 9'000'000'000));
  }
}

TEST(Scoreboard, AWorkerThatHasToldNoTurnYetIsNotStuck) {
  auto board = Scoreboard::Create(1);
  ASSERT_TRUE(board.ok());
  board->slot(0).state = SlotState::kReady;
  EXPECT_FALSE(board->IsStuck(0, 9'000'000'000));
}

TEST(Scoreboard, WhatAStandInCountedIsTheFirstWorkersOnceItHasEnded) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok());
  board->stand_in().live.http_responses[200] = 7;
  board->stand_in().http_requests_running = 1;
  board->Fold(Scoreboard::kStandIn);
  EXPECT_EQ(board->slot(0).base.http_responses[200], 7u);
  EXPECT_EQ(board->stand_in().live.http_responses[200], 0u);
  EXPECT_EQ(board->stand_in().base.http_responses[200], 0u);
  EXPECT_EQ(board->stand_in().http_requests_running, 0);
}

TEST(Scoreboard, TakesOneTo256Workers) {
  EXPECT_FALSE(Scoreboard::Create(0).ok());
  EXPECT_TRUE(Scoreboard::Create(1).ok());
  EXPECT_TRUE(Scoreboard::Create(256).ok());
  EXPECT_FALSE(Scoreboard::Create(257).ok());
}

}  // namespace
}  // namespace grove::metrics
