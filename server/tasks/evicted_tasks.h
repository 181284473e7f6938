// EvictedTasks: what stays in memory of an ended task that only the store has.
//
// A durable task whose end is on disk, and whose waiters have been told, leaves when later ends
// need the room: what its queue and the counts hold of it stays, and of itself as much as others
// may ask of it at once. Whoever wants more reads the record and recalls it; then it is a task as
// any other one until the turn after the next. Who needs it for longer holds it: what was settled,
// recalled or to be recalled since the hold began stays as long as that.
#ifndef GROVE_SERVER_TASKS_EVICTED_TASKS_H_
#define GROVE_SERVER_TASKS_EVICTED_TASKS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "grove/v1/task_service.pb.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

struct EngineState;
struct Effects;
struct StoredTask;
struct Task;

// Of a task that was spawned with a request_id: a spawn that repeats it is answered at once.
struct EvictedRequest {
  std::string request_id;
  uint64_t fingerprint = 0;
};

struct EvictedTask {
  // What retention goes by.
  EngineMicros end_us = 0;
  uint32_t queue = 0;
  uint32_t function = 0;
  v1::TaskState state = v1::TASK_STATE_UNSPECIFIED;
  // nullptr: it had no request_id.
  std::unique_ptr<const EvictedRequest> request = nullptr;
};

// With its place in the ordered set of them and in the retention's.
inline constexpr int64_t kEvictedBytes = 96;

// How a task stands that somebody names.
struct Standing {
  size_t queue = 0;
  bool settled = false;
  // As it is told.
  v1::TaskState state = v1::TASK_STATE_UNSPECIFIED;
};

// nullopt: there is none.
std::optional<Standing> StandingOf(const EngineState& state, TaskId id);
// Whether only the store has it. nullptr: it has not been evicted.
const EvictedTask* FindEvicted(const EngineState& state, TaskId id);
std::optional<TaskId> FindEvictedRequest(const EngineState& state, size_t tenant,
                                         std::string_view request_id);
// Whether all of it that is asked for at once fits into an EvictedTask: in the store's index, this
// is all that a start reads of it.
bool IsBare(const EngineState& state, const Task& task);

// What stays of an ended one.
EvictedTask AsEvicted(const EngineState& state, Task& task);
// Requires an ended, settled one; does nothing where it has to stay: what is volatile, a member of
// its sequence, or has an abandoned attempt.
void Evict(EngineState& state, Task* task);
// Of an ended one that a store's index has, while control recovers.
void AddEvicted(EngineState& state, TaskId id, EvictedTask task);
// Its record. One that is there stays as if it had been recalled now.
void Recall(EngineState& state, const StoredTask& stored);
void KeepRecalled(EngineState& state, TaskId id);
// Evicts what nobody holds: what has been recalled, and more ends than may stay; not too many at
// once.
void EvictSome(EngineState& state);
// There is something for that.
bool HasSomeToEvict(const EngineState& state);
// Its retention is over, or its tenant goes. Requires that it was evicted.
void DropEvicted(EngineState& state, TaskId id, Effects& effects);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_EVICTED_TASKS_H_
