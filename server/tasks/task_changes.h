// TaskChanges: what a caller may have done to a task that is there.
//
// Each action is checked by itself: a check without a change is what a dry run is made of.
#ifndef GROVE_SERVER_TASKS_TASK_CHANGES_H_
#define GROVE_SERVER_TASKS_TASK_CHANGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/field_mask.pb.h"
#include "grove/v1/task_service.pb.h"
#include "server/wall_time.h"

namespace grove::tasks {

struct EngineState;
struct Effects;
struct Task;

inline constexpr size_t kReasonMax = 1024;

struct TaskAction {
  enum class Kind { kCancel, kForceCancel, kPause, kResume, kRetry, kDelete, kUpdate };
  Kind kind = Kind::kCancel;
  // Of kCancel, kForceCancel and kPause.
  std::string reason = {};
  // Of kUpdate: what is to change.
  std::optional<int32_t> priority = std::nullopt;
  std::optional<std::vector<std::pair<std::string, std::string>>> labels = std::nullopt;
  // As AcceptedSpec's: "customer-7/report"; empty: none any more.
  std::optional<std::string> limit_key = std::nullopt;
  std::optional<int64_t> delay_us = std::nullopt;
  std::optional<WallMicros> start_us = std::nullopt;
};

// INVALID_ARGUMENT: the mask names nothing, or what cannot be changed, or the spec's value cannot
// be.
absl::StatusOr<TaskAction> UpdateAction(const v1::TaskSpec& spec,
                                        const google::protobuf::FieldMask& mask);

// Of the action alone: INVALID_ARGUMENT.
absl::Status CheckAction(const EngineState& state, const TaskAction& action);

// Whether it would change the task. FAILED_PRECONDITION: it cannot be done to a task in that state.
// RESOURCE_EXHAUSTED, UNAVAILABLE: not now.
absl::StatusOr<bool> WouldChange(const EngineState& state, const Task& task,
                                 const TaskAction& action);

// Requires that WouldChange() is true. `task` may be gone afterwards.
void ChangeTask(EngineState& state, Task* task, const TaskAction& action, Effects& effects);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_CHANGES_H_
