#include "server/tasks/task_changes.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/after.h"
#include "server/tasks/commit.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/evicted_tasks.h"
#include "server/tasks/holds.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/refusal.h"
#include "server/tasks/spawn_quotas.h"
#include "server/tasks/spawning.h"
#include "server/tasks/task_spec.h"

namespace grove::tasks {
namespace {

using Kind = TaskAction::Kind;

constexpr int64_t kRetryAfterMs = 1000;

absl::Status Unfit(const EngineState& state, const Task& task, std::string_view reason,
                   std::string_view what) {
  const std::string name = state.NameOf(task);
  return Refusal(absl::StatusCode::kFailedPrecondition, reason,
                 StrCat(name, " ", what, ": it is ", v1::TaskState_Name(task.state).substr(11)),
                 {{"task", name}, {"state", v1::TaskState_Name(task.state)}});
}

absl::Status CheckNotEnded(const EngineState& state, const Task& task) {
  return task.ended() ? Unfit(state, task, "TASK_ENDED", "has ended") : absl::OkStatus();
}

// Before that, a change could reach the disk, and its end behind it.
absl::Status CheckSettled(const EngineState& state, const Task& task) {
  if (!task.ended()) return Unfit(state, task, "TASK_NOT_ENDED", "has not ended");
  if (task.settled) return absl::OkStatus();
  return WithRetryAfter(
      Refusal(absl::StatusCode::kUnavailable, "TASK_END_NOT_STORED",
              StrCat(state.NameOf(task), " has ended, and its end is not on disk yet")),
      kRetryAfterMs);
}

absl::Status WouldFailAgain(const EngineState& state, const Task& task, TaskId by) {
  const auto other = StandingOf(state, by);
  const std::string name = state.NameOf(task);
  return Refusal(absl::StatusCode::kFailedPrecondition, "AFTER_FAILED",
                 StrCat(name, " comes after ", other ? state.NameOf(other->queue, by) : "a task",
                        " that has not succeeded: try that again first"),
                 {{"task", name}});
}

absl::StatusOr<bool> WouldRetry(const EngineState& state, const Task& task) {
  if (task.state == v1::TASK_STATE_SCHEDULED) return CanEndDelay(task);
  if (absl::Status settled = CheckSettled(state, task); !settled.ok()) return settled;
  if (absl::Status key = CheckKeyToReturn(state, task); !key.ok()) return key;
  if (const auto by = DoomedBy(state, task)) return WouldFailAgain(state, task, *by);
  if (absl::Status room = CheckRoomToReturn(state, task); !room.ok()) return room;
  return true;
}

std::string_view KeyOf(const Task& task) {
  return task.spec.extras().limit_key == nullptr ? std::string_view()
                                                 : *task.spec.extras().limit_key;
}

absl::StatusOr<bool> WouldUpdate(const EngineState& state, const Task& task,
                                 const TaskAction& action) {
  if (absl::Status alive = CheckNotEnded(state, task); !alive.ok()) return alive;
  const bool moves = action.delay_us || action.start_us;
  const bool has_other_keys = action.limit_key && *action.limit_key != KeyOf(task);
  if (task.state == v1::TASK_STATE_RUNNING && (moves || has_other_keys)) {
    return Unfit(state, task, "TASK_RUNNING",
                 moves ? "cannot start later" : "keeps its limit keys");
  }
  if (has_other_keys) {
    absl::Status room = CheckQuotasToMove(state, task, *action.limit_key);
    if (!room.ok()) return room;
  }
  return moves || has_other_keys || (action.priority && *action.priority != task.spec.priority) ||
         (action.labels && *action.labels != task.spec.extras().labels);
}

void Update(EngineState& state, Task* task, const TaskAction& action) {
  task->spec_changed = true;
  if (action.priority) SetPriority(state, task, *action.priority);
  if (action.labels) task->spec.Extras().labels = *action.labels;
  if (action.limit_key) SetLimitKey(state, task, *action.limit_key);
  if (action.delay_us) {
    task->spec.Extras().delay_us = *action.delay_us;
    task->spec.Extras().start_us = 0;
    Postpone(state, task, state.now_us + *action.delay_us);
  }
  if (action.start_us) {
    task->spec.Extras().start_us = *action.start_us;
    task->spec.Extras().delay_us = 0;
    Postpone(state, task, state.FromWall(*action.start_us));
  }
}

void ForceCancel(EngineState& state, Task* task, const TaskAction& action, Effects& effects) {
  const TaskId id = task->id;
  if (!task->ended()) CancelTask(state, task, action.reason, effects);
  ReleaseAbandoned(state, id);
}

}  // namespace

absl::StatusOr<TaskAction> UpdateAction(const v1::TaskSpec& spec,
                                        const google::protobuf::FieldMask& mask) {
  TaskAction action{.kind = Kind::kUpdate};
  for (const std::string& path : mask.paths()) {
    if (path == "spec.priority") {
      action.priority = spec.priority();
    } else if (path == "spec.labels") {
      action.labels.emplace(spec.labels().begin(), spec.labels().end());
      std::sort(action.labels->begin(), action.labels->end());
    } else if (path == "spec.limit_keys") {
      action.limit_key = LimitKeyOf(spec);
    } else if (path == "spec.delay") {
      action.delay_us = 0;
    } else if (path == "spec.start_time") {
      action.start_us = 0;
    } else {
      return BadField("update_mask", "FIELD_MASK_INVALID",
                      StrCat("names \"", Cut(path),
                             "\"; spec.priority, spec.labels, spec.limit_keys, spec.delay and "
                             "spec.start_time can be changed"));
    }
  }
  if (mask.paths().empty()) {
    return BadField("update_mask", "FIELD_MASK_INVALID", "is empty; it says what is to change");
  }
  v1::TaskSpec changed;
  if (action.priority) changed.set_priority(spec.priority());
  if (action.labels) *changed.mutable_labels() = spec.labels();
  if (action.limit_key) *changed.mutable_limit_keys() = spec.limit_keys();
  if (action.delay_us) *changed.mutable_delay() = spec.delay();
  if (action.start_us) *changed.mutable_start_time() = spec.start_time();
  if (absl::Status status = CheckChanges(changed); !status.ok()) return status;
  if (action.delay_us) action.delay_us = proto::ToMicros(spec.delay());
  if (action.start_us) action.start_us = proto::ToMicros(spec.start_time());
  return action;
}

absl::Status CheckAction(const EngineState& state, const TaskAction& action) {
  if (action.reason.size() > kReasonMax) {
    return BadField(
        "reason", action.kind == Kind::kPause ? "REASON_TOO_LONG" : "CANCEL_REASON_TOO_LONG",
        StrCat("is ", action.reason.size(), " bytes; at most ", kReasonMax, " are allowed"));
  }
  return action.start_us ? CheckStartTime(*action.start_us, state.wall_us()) : absl::OkStatus();
}

absl::StatusOr<bool> WouldChange(const EngineState& state, const Task& task,
                                 const TaskAction& action) {
  switch (action.kind) {
    case Kind::kCancel:
      return !task.ended();
    case Kind::kForceCancel:
      return !task.ended() || state.abandoned.contains(task.id);
    case Kind::kPause:
    case Kind::kResume: {
      if (absl::Status alive = CheckNotEnded(state, task); !alive.ok()) return alive;
      return task.is_paused() == (action.kind == Kind::kResume);
    }
    case Kind::kRetry:
      return WouldRetry(state, task);
    case Kind::kDelete: {
      if (absl::Status settled = CheckSettled(state, task); !settled.ok()) return settled;
      return true;
    }
    case Kind::kUpdate:
      return WouldUpdate(state, task, action);
  }
  return false;
}

void ChangeTask(EngineState& state, Task* task, const TaskAction& action, Effects& effects) {
  switch (action.kind) {
    case Kind::kCancel:
      return CancelTask(state, task, action.reason, effects);
    case Kind::kForceCancel:
      return ForceCancel(state, task, action, effects);
    case Kind::kDelete:
      state.NoteChange(*task);
      return DropTask(state, task, effects);
    case Kind::kPause:
      SetPaused(state, task, std::make_unique<std::string>(action.reason));
      break;
    case Kind::kResume:
      SetPaused(state, task, nullptr);
      break;
    case Kind::kRetry:
      if (task->ended()) {
        Revive(state, task);
      } else {
        EndDelay(state, task);
      }
      break;
    case Kind::kUpdate:
      Update(state, task, action);
      break;
  }
  state.NoteChange(*task);
  Commit(state, task, effects);
}

}  // namespace grove::tasks
