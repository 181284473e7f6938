#include "server/tasks/lifecycle.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "server/tasks/invariants.h"
#include "server/tasks/state_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;

constexpr v1::TaskState kStates[] = {v1::TASK_STATE_UNSPECIFIED, v1::TASK_STATE_SCHEDULED,
                                     v1::TASK_STATE_QUEUED,      v1::TASK_STATE_RUNNING,
                                     v1::TASK_STATE_SUCCEEDED,   v1::TASK_STATE_FAILED,
                                     v1::TASK_STATE_CANCELLED,   v1::TASK_STATE_TIMED_OUT};

std::vector<v1::TaskState> Followers(v1::TaskState from) {
  std::vector<v1::TaskState> followers;
  for (v1::TaskState to : kStates) {
    if (kMayFollow[from][to]) followers.push_back(to);
  }
  return followers;
}

TEST(MayFollow, IsTheDrawing) {
  static_assert(std::size(kStates) == v1::TaskState_ARRAYSIZE);
  EXPECT_THAT(Followers(v1::TASK_STATE_SCHEDULED),
              ElementsAre(v1::TASK_STATE_QUEUED, v1::TASK_STATE_FAILED, v1::TASK_STATE_CANCELLED));
  EXPECT_THAT(Followers(v1::TASK_STATE_QUEUED),
              ElementsAre(v1::TASK_STATE_SCHEDULED, v1::TASK_STATE_RUNNING,
                          v1::TASK_STATE_CANCELLED, v1::TASK_STATE_TIMED_OUT));
  EXPECT_THAT(
      Followers(v1::TASK_STATE_RUNNING),
      ElementsAre(v1::TASK_STATE_SCHEDULED, v1::TASK_STATE_QUEUED, v1::TASK_STATE_SUCCEEDED,
                  v1::TASK_STATE_FAILED, v1::TASK_STATE_CANCELLED, v1::TASK_STATE_TIMED_OUT));
}

TEST(MayFollow, AnEndedTaskCanOnlyRunAgainAndNothingLosesItsState) {
  for (v1::TaskState from : kStates) {
    EXPECT_FALSE(kMayFollow[from][v1::TASK_STATE_UNSPECIFIED]) << from;
    if (from < v1::TASK_STATE_SUCCEEDED) continue;
    EXPECT_THAT(Followers(from), ElementsAre(v1::TASK_STATE_SCHEDULED, v1::TASK_STATE_QUEUED))
        << from;
  }
}

class LifecycleTest : public StateTest {
 protected:
  // A record that got where it is by SetState() alone.
  Task* TaskIn(v1::TaskState at) {
    Task* task = Add();
    if (at != v1::TASK_STATE_UNSPECIFIED) SetState(state_, task, at);
    return task;
  }
};

TEST_F(LifecycleTest, MovesCountsFromTheOldStateToTheNew) {
  for (v1::TaskState from : kStates) {
    for (v1::TaskState to : Followers(from)) {
      Task* task = TaskIn(from);
      const auto before = Counts();
      SetState(state_, task, to);
      auto expected = before;
      if (from != v1::TASK_STATE_UNSPECIFIED) --expected[from];
      ++expected[to];
      EXPECT_EQ(Counts(), expected) << from << " -> " << to;
    }
  }
}

TEST_F(LifecycleTest, CountsAnEndOnlyWhereItSawIt) {
  TaskIn(v1::TASK_STATE_SUCCEEDED);  // As recovery does.
  EXPECT_TRUE(state_.tallies.empty());
  Task* task = TaskIn(v1::TASK_STATE_RUNNING);
  task->create_time_us = state_.wall_us();
  state_.Advance(state_.now_us + 7);
  SetState(state_, task, v1::TASK_STATE_SUCCEEDED);
  ASSERT_EQ(state_.tallies.size(), 1u);
  EXPECT_EQ(state_.tallies[0].kind, Tally::Kind::kEnded);
  EXPECT_EQ(state_.tallies[0].what, v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(state_.tallies[0].us, 7);
}

using LifecycleDeathTest = LifecycleTest;

TEST_F(LifecycleDeathTest, EveryOtherMoveDies) {
  for (v1::TaskState from : kStates) {
    for (v1::TaskState to : kStates) {
      if (kMayFollow[from][to]) continue;
      Task* task = TaskIn(from);
      EXPECT_DEATH(SetState(state_, task, to),
                   absl::StrCat(v1::TaskState_Name(from), " -> ", v1::TaskState_Name(to)));
    }
  }
}

TEST_F(LifecycleTest, ADurableTaskStandsInNoBacklogBeforeItIsStored) {
  Task* task = Add();
  task->spec.durable = true;
  Enqueue(state_, task, /*to_front=*/false);
  EXPECT_EQ(task->place, Task::Place::kNone);
  EXPECT_EQ(state_.queues[0].queued, 1);
  MarkStored(state_, task);
  EXPECT_EQ(state_.queues[0].backlog.Front(), task);
}

TEST_F(LifecycleTest, AnAbandonedAttemptHoldsItsRoomUntilItIsReleased) {
  Task* task = Start(Add());
  CancelTask(state_, task, "", effects_);
  EXPECT_EQ(state_.pools[0].running, 1);
  EXPECT_EQ(CheckInvariants(state_), absl::OkStatus());
  ReleaseRoom(state_, state_.workers[0].attempts.front());
  EXPECT_EQ(state_.pools[0].running, 0);
  EXPECT_TRUE(state_.attempts.empty());
}

TEST_F(LifecycleTest, AnEndOfADurableTaskIsToldWhenTheStoreHasIt) {
  Task* task = Add();
  task->spec.durable = task->stored = true;
  Start(task);
  CancelTask(state_, task, "", effects_);
  EXPECT_TRUE(effects_.ended.empty());
  ASSERT_FALSE(state_.unconfirmed.empty());
  EXPECT_EQ(state_.unconfirmed.back().then, UnconfirmedWrite::Then::kSettled);
}

}  // namespace
}  // namespace grove::tasks
