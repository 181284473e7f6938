#include "server/tasks/views.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "proto/well_known_times.h"
#include "server/tasks/state_fixture.h"

namespace grove::tasks {
namespace {

using proto::ToMicros;

class ViewsTest : public StateTest {
 protected:
  // A task of `state_` after it has run and failed, with all that a record may hold.
  Task& Failed() {
    Task& task = *Start(Add());
    task.create_time_us = 1'000'000;
    task.spec.input = "in";
    TaskPast& past = task.Past();
    past.output = "out";
    past.output_content_type = "text/plain";
    past.progress = 0.5;
    past.progress_message = "half";
    past.failures = 2;
    past.interruptions = 1;
    task.parent = std::make_unique<const std::string>("tenants/t/queues/q/tasks/p");
    AttemptRecord& attempt = task.Past().attempts.back();
    attempt.worker_pid = 77;
    attempt.fiber = 9;
    attempt.end_us = 3'000'000;
    attempt.state = v1::Attempt::STATE_FAILED;
    attempt.error = std::make_unique<google::rpc::Status>();
    attempt.error->set_message("lost");
    return task;
  }
};

TEST_F(ViewsTest, ATaskIsShownWithItsAttempts) {
  const Task& task = Failed();
  const v1::Task view = ViewTask(state_, task, v1::TASK_VIEW_FULL);
  EXPECT_EQ(view.name(), state_.NameOf(task));
  EXPECT_EQ(view.state(), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(view.spec().function(), "echo");
  EXPECT_EQ(view.output(), "out");
  EXPECT_EQ(view.progress(), 0.5);
  EXPECT_EQ(view.progress_message(), "half");
  EXPECT_EQ(ToMicros(view.create_time()), 1'000'000);
  EXPECT_FALSE(view.has_end_time());
  ASSERT_EQ(view.attempts_size(), 1);
  EXPECT_EQ(view.attempts(0).number(), 1);
  EXPECT_EQ(view.attempts(0).worker(), "workers/0");
  EXPECT_EQ(view.attempts(0).fiber(), "workers/0/fibers/9");
  EXPECT_EQ(view.attempts(0).worker_pid(), 77);
  EXPECT_EQ(ToMicros(view.attempts(0).end_time()), 3'000'000);
  EXPECT_EQ(view.attempts(0).error().message(), "lost");
}

TEST_F(ViewsTest, AnAttemptWhoseFiberIsUnknownNamesNone) {
  Task& task = *Start(Add());
  task.Past().attempts.back().fiber = 0;
  EXPECT_EQ(ViewTask(state_, task, v1::TASK_VIEW_FULL).attempts(0).fiber(), "");
}

TEST_F(ViewsTest, OnlyAScheduledTaskShowsWhenItIsDue) {
  Task& task = *Add();
  Schedule(state_, &task, 5'000'000);
  EXPECT_EQ(ToMicros(ViewTask(state_, task, v1::TASK_VIEW_FULL).schedule_time()), 5'000'000);
  Task& started = *Start(Add());
  started.schedule_us = 5'000'000;
  EXPECT_FALSE(ViewTask(state_, started, v1::TASK_VIEW_FULL).has_schedule_time());
}

TEST_F(ViewsTest, QueuesAndPoolsCountWhatWaitsAndRuns) {
  Start(Add());
  Enqueue(state_, Add(), /*to_front=*/false);
  Enqueue(state_, Add(), /*to_front=*/false);
  state_.Advance(4'000'000);
  const v1::Queue queue = ViewQueue(state_, 0);
  EXPECT_EQ(queue.name(), "tenants/default/queues/default");
  EXPECT_EQ(queue.queued(), 2);
  EXPECT_EQ(queue.running(), 1);
  EXPECT_EQ(queue.oldest_age().seconds(), 3);
  const v1::Pool pool = ViewPool(state_, 0);
  EXPECT_EQ(pool.running(), 1);
  EXPECT_EQ(pool.free(), pool.size() - 1);
  EXPECT_EQ(pool.waiting(), 2);
}

TEST_F(ViewsTest, CountersAreOfTheWholeEngine) {
  Start(Add());
  Enqueue(state_, Add(), /*to_front=*/false);
  const TaskCounters counters = ViewCounters(state_);
  EXPECT_EQ(counters.tasks_held, 2u);
  EXPECT_EQ(counters.attempts_running, 1u);
  EXPECT_EQ(counters.workers_linked, 1);
  ASSERT_EQ(counters.queues.size(), 1u);
  EXPECT_EQ(counters.queues[0].queued, 1);
  EXPECT_EQ(counters.queues[0].running, 1);
}

TEST_F(ViewsTest, WhatIsStoredComesBack) {
  const Task& task = Failed();
  const StoredProgress stored = EncodeProgress(state_, task);
  EXPECT_EQ(stored.attempt, task.past().attempt);
  EXPECT_EQ(stored.worker, 0);
  v1::Task scratch;
  Task restored;
  ASSERT_TRUE(RestoreProgress(state_, stored, scratch, restored));
  EXPECT_EQ(restored.state, v1::TASK_STATE_RUNNING);
  EXPECT_EQ(restored.past().output, "out");
  EXPECT_EQ(restored.past().output_content_type, "text/plain");
  EXPECT_EQ(restored.past().progress, 0.5);
  EXPECT_EQ(restored.past().progress_message, "half");
  EXPECT_EQ(restored.create_time_us, 1'000'000);
  EXPECT_EQ(restored.past().end_us, 0);
  EXPECT_EQ(restored.past().failures, 2);
  EXPECT_EQ(restored.past().interruptions, 1);
  EXPECT_EQ(restored.past().attempts_started, 1);
  EXPECT_EQ(*restored.parent, *task.parent);
  ASSERT_EQ(restored.past().attempts.size(), 1u);
  EXPECT_EQ(restored.past().attempts[0].worker, 0);
  EXPECT_EQ(restored.past().attempts[0].worker_pid, 77);
  EXPECT_EQ(restored.past().attempts[0].end_us, 3'000'000);
  EXPECT_EQ(restored.past().attempts[0].error->message(), "lost");
}

TEST_F(ViewsTest, WhatDoesNotParseOrHasNoStateIsNotRestored) {
  v1::Task scratch;
  Task restored;
  EXPECT_FALSE(RestoreProgress(state_, {.task = "\xff"}, scratch, restored));
  EXPECT_FALSE(RestoreProgress(state_, {.task = ""}, scratch, restored));
  v1::Task view;
  view.set_state(static_cast<v1::TaskState>(99));
  EXPECT_FALSE(RestoreProgress(state_, {.task = view.SerializeAsString()}, scratch, restored));
}

}  // namespace
}  // namespace grove::tasks
