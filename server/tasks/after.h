// After: tasks that wait until others have ended.
//
// What a spec's `after` names, or an attempt has suspended itself for. An end counts once it is
// settled: an earlier one could be undone by a crash. EngineState::awaited has a pair for each task
// that waits and each that it waits for; a task that nobody waits for costs nothing.
#ifndef GROVE_SERVER_TASKS_AFTER_H_
#define GROVE_SERVER_TASKS_AFTER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/repeated_field.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// NOT_FOUND (AFTER_NOT_FOUND): one of them is no task of the tenant, or is not there any more.
// `field`: what named them.
absl::Status CheckAwaited(const EngineState& state, size_t tenant, std::string_view field,
                          const google::protobuf::RepeatedPtrField<std::string>& names);

// The task waits for those of `spec.after` that have not ended; it is doomed if one has that was to
// succeed. Marks those of a durable task that are not on disk.
void BeginAfter(EngineState& state, Task* task);
// As BeginAfter(), for what it has suspended itself for.
void AwaitSuspendedFor(EngineState& state, Task* task);
// It waits for nothing any more.
void StopAwaiting(EngineState& state, Task* task);
// The task's end is settled: who waits for it waits no more, or is doomed.
void TellAwaiting(EngineState& state, const Task& task);

// Whether what it comes after has kept it from starting so far.
bool ComesAfter(const Task& task);
// One that it comes after has not succeeded, and was to: the first such one.
std::optional<TaskId> DoomedBy(const EngineState& state, const Task& task);
// What its error says then.
std::string DoomText(const EngineState& state, const Task& task);

// Of `names`, the first that the task still waits for. Requires that it waits for one.
size_t FirstAwaited(const EngineState& state, const Task& task, const TaskNames& names);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_AFTER_H_
