// StateTest: the engine's records without the engine, for tests of what changes them.
#ifndef GROVE_SERVER_TASKS_STATE_FIXTURE_H_
#define GROVE_SERVER_TASKS_STATE_FIXTURE_H_

#include <array>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/resolved_tasks.h"

namespace grove::tasks {

class StateTest : public ::testing::Test {
 protected:
  StateTest() {
    state_.Advance(1'000'000);
    state_.InternFunction("echo");
    WorkerView& worker = state_.HearOf(0);
    worker.linked = true;
    worker.capacity = 100;
    worker.functions = {true};
  }

  static EngineOptions Options() {
    EngineOptions options;
    FillTasks(options.tasks);
    return options;
  }

  // A volatile task of "echo" in the queue `default`, in no state.
  Task* Add() {
    auto task = std::make_unique<Task>();
    task->id = state_.ids.Next(state_.now_us);
    task->spec.durable = false;
    return AddTask(state_, std::move(task));
  }
  // Queues it and runs it on worker 0.
  Task* Start(Task* task) {
    Enqueue(state_, task, /*to_front=*/false);
    StartOn(state_, task, 0, effects_);
    return task;
  }
  // Of "echo" and the only tenant, by state.
  TaskCounts Counts() { return state_.counts[{0, 0}]; }

  const tenancy::Directory directory_ = *tenancy::Directory::Create({});
  EngineState state_{&directory_, Options()};
  Effects effects_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_STATE_FIXTURE_H_
