#include "server/test_kit/schedule_runner.h"

#include <limits>
#include <vector>

#include "absl/time/time.h"
#include "proto/well_known_times.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/schedules/run_times.h"

namespace grove::test_kit {
namespace {

SpawnRequest RequestOf(const v1::TaskSpec& spec, std::string_view id) {
  SpawnRequest request;
  request.function = spec.function();
  request.input = spec.input();
  if (!spec.content_type().empty()) request.content_type = spec.content_type();
  request.queue = spec.queue();
  request.priority = spec.priority();
  request.timeout = absl::Microseconds(proto::ToMicros(spec.timeout()));
  if (spec.retry_policy().max_attempts() > 0) {
    request.attempts_max = spec.retry_policy().max_attempts();
  }
  for (const auto& [key, value] : spec.labels()) request.labels.emplace_back(key, value);
  request.labels.emplace_back("grove.schedule", id);
  return request;
}

v1::TaskState StateOf(const absl::StatusOr<TaskResult>& result) {
  if (!result.ok()) return v1::TASK_STATE_UNSPECIFIED;
  switch (result->end) {
    case TaskEnd::kSucceeded:
      return v1::TASK_STATE_SUCCEEDED;
    case TaskEnd::kCancelled:
      return v1::TASK_STATE_CANCELLED;
    case TaskEnd::kTimedOut:
      return v1::TASK_STATE_TIMED_OUT;
    case TaskEnd::kFailed:
      break;
  }
  return v1::TASK_STATE_FAILED;
}

}  // namespace

absl::Status ScheduleRunner::Add(std::string_view id, v1::Schedule schedule) {
  if (schedules_.find(id) != schedules_.end()) {
    return absl::AlreadyExistsError(StrCat("there is a schedule ", id));
  }
  if (schedule.spec().function().empty()) {
    return absl::InvalidArgumentError("schedule.spec.function: is required");
  }
  const absl::StatusOr<schedules::RunTimes> times = schedules::RunTimes::Create(schedule);
  if (!times.ok()) return times.status();
  const WallMicros now_us = wall_();
  if (absl::Status comes = times->CheckComes(schedule, now_us); !comes.ok()) return comes;
  schedule.set_state(v1::Schedule::STATE_ACTIVE);
  auto live = std::make_unique<Live>(schedules::ScheduleState(
      StrCat("tenants/default/schedules/", id), std::move(schedule), now_us));
  const absl::StatusOr<FiberHandle> runs =
      group_.Spawn("schedule", [this, &live = *live] { return RunDue(live); });
  if (!runs.ok()) return runs.status();
  schedules_.emplace(id, std::move(live));
  return absl::OkStatus();
}

absl::StatusOr<v1::Schedule> ScheduleRunner::Get(std::string_view id) const {
  const auto found = schedules_.find(id);
  if (found == schedules_.end()) return absl::NotFoundError(StrCat("no schedule ", id));
  return found->second->state.View(wall_());
}

void ScheduleRunner::Stop() {
  group_.Cancel();
  group_.Join().IgnoreError();  // that they were cancelled
}

absl::Status ScheduleRunner::RunDue(Live& live) {
  for (;;) {
    live.changed.Reset();
    while (const auto due_us = live.state.Advance(wall_())) Spawn(live, *due_us);
    const WallMicros wake_us = live.state.NextWake();
    Timeout timeout(wake_us == std::numeric_limits<WallMicros>::max()
                        ? absl::InfiniteDuration()
                        : absl::Microseconds(wake_us - wall_()));
    if (absl::Status woken = timeout.Silence(live.changed.Wait()); !woken.ok()) return woken;
  }
}

void ScheduleRunner::Spawn(Live& live, WallMicros due_us) {
  const std::string& name = live.state.name();
  const absl::StatusOr<std::string> task =
      tasks_.Spawn(RequestOf(live.state.schedule().spec(), name.substr(name.rfind('/') + 1)));
  google::rpc::Status why;
  if (task.ok()) {
    // Before the state is told, so that a task that is to be cancelled has begun.
    const absl::StatusOr<FiberHandle> runs =
        group_.Spawn("scheduled-task", [this, &live, task = *task] { RunTask(live, task); });
    if (runs.ok()) {
      for (const std::string& old : live.state.Spawned(due_us, *task, wall_())) cancel_(old);
      return;
    }
    why.set_message(std::string(runs.status().message()));
  } else {
    why.set_message(std::string(task.status().message()));
  }
  live.state.Refused(due_us, why, wall_());
}

void ScheduleRunner::RunTask(Live& live, const std::string& task) {
  const absl::StatusOr<TaskResult> result = tasks_.Wait(task, absl::InfiniteDuration());
  live.state.Ended(task, StateOf(result), wall_());
  live.changed.Set();
}

}  // namespace grove::test_kit
