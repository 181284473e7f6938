#include "server/tasks/invariants.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "server/tasks/dispatch.h"
#include "server/tasks/state_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One task of each kind: scheduled, queued, running, ended.
class InvariantsTest : public StateTest {
 protected:
  InvariantsTest() {
    scheduled_ = Add();
    Schedule(state_, scheduled_, state_.now_us + 1);
    Enqueue(state_, queued_ = Add(), /*to_front=*/false);
    running_ = Start(Add());
    CancelTask(state_, ended_ = Start(Add()), "", effects_);
    ReleaseRoom(state_, state_.workers[0].attempts.back());
  }

  std::string Broken() { return std::string(CheckInvariants(state_).message()); }

  Task* scheduled_;
  Task* queued_;
  Task* running_;
  Task* ended_;
};

TEST_F(InvariantsTest, HoldOfWhatTheLifecycleBuilds) {
  EXPECT_THAT(Broken(), IsEmpty());
  Dispatch(state_, effects_);
  EXPECT_THAT(Broken(), IsEmpty());
}

TEST_F(InvariantsTest, CountsOfQueuesAreRecounted) {
  ++state_.queues[0].queued;
  EXPECT_THAT(Broken(), HasSubstr("queued of queue 0"));
  --state_.queues[0].queued;
  ++state_.queues[0].running;
  EXPECT_THAT(Broken(), HasSubstr("running of queue 0"));
  --state_.queues[0].running;
  --state_.queues[0].scheduled;
  EXPECT_THAT(Broken(), HasSubstr("scheduled of queue 0"));
}

TEST_F(InvariantsTest, RoomIsRecountedPerPoolAndWorker) {
  ++state_.pools[0].running;
  EXPECT_THAT(Broken(), HasSubstr("running of pool 0"));
  --state_.pools[0].running;
  --state_.workers[0].running;
  EXPECT_THAT(Broken(), HasSubstr("running of worker 0"));
}

TEST_F(InvariantsTest, AQueueWithWorkHasATurn) {
  state_.queues[0].stand = QueueState::Stand::kIdle;
  EXPECT_THAT(Broken(), HasSubstr("no turn for the backlog of queue 0"));
  state_.queues[0].stand = QueueState::Stand::kBlockedOnPool;
  EXPECT_THAT(Broken(), HasSubstr("stand of queue 0"));
  state_.pools[0].blocked.push_back(0);
  EXPECT_THAT(Broken(), HasSubstr("stands twice: queue 0"));
}

TEST_F(InvariantsTest, DeadlinesAreThoseOfScheduledAndRunningTasks) {
  state_.deadlines.Remove(running_);
  EXPECT_THAT(Broken(), HasSubstr("deadline of"));
  state_.deadlines.Set(running_, 5);
  const uint32_t position = std::exchange(state_.deadlines.Front()->heap_position, 7);
  EXPECT_THAT(Broken(), HasSubstr("position in the heap"));
  state_.deadlines.Front()->heap_position = position;
}

TEST_F(InvariantsTest, TotalsAreThoseOfTheTasks) {
  ++state_.task_bytes;
  EXPECT_THAT(Broken(), HasSubstr("task_bytes"));
  --state_.task_bytes;
  ++state_.ended_count;
  EXPECT_THAT(Broken(), HasSubstr("ended_count 2, listed 1, not 1"));
  --state_.ended_count;
  state_.TenantOf(*queued_).tasks.erase(queued_->id);
  EXPECT_THAT(Broken(), HasSubstr("its tenant's tasks"));
}

TEST_F(InvariantsTest, WhatIsInMemoryIsCharged) {
  queued_->spec.input = std::string(100, 'x');
  EXPECT_THAT(Broken(), HasSubstr("charge of"));
  queued_->spec.input.clear();
  queued_->input_bytes = 5;
  EXPECT_THAT(Broken(), HasSubstr("input of")) << "neither in memory nor in the store";
}

TEST_F(InvariantsTest, PlacesFollowStates) {
  queued_->place = Task::Place::kNone;
  EXPECT_THAT(Broken(), HasSubstr("place of"));
  queued_->place = Task::Place::kBacklog;
  running_->Past().attempt = 0;
  EXPECT_THAT(Broken(), HasSubstr("attempt and state of"));
}

TEST_F(InvariantsTest, WhatIsNotOnDiskWaitsForAWrite) {
  queued_->spec.durable = true;
  queued_->stored = true;
  EXPECT_THAT(Broken(), IsEmpty());
  state_.unconfirmed_bytes = 1;
  EXPECT_THAT(Broken(), HasSubstr("unconfirmed_bytes 1"));
  state_.unconfirmed_bytes = 0;
  state_.unconfirmed.push_back({1, UnconfirmedWrite::Then::kStored, queued_->id});
  state_.last_ticket = 1;
  EXPECT_THAT(Broken(), HasSubstr("inserts under way 1, not 0"));
}

}  // namespace
}  // namespace grove::tasks
