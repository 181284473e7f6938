// Task memory: what of each task control holds, and that all of it stays within
// tasks.memory_max_bytes.
//
// Every task is charged with an estimate of its record, and with its input, output and checkpoint
// as long as they are in memory. Those of a durable task leave once the store has them: a spawn's
// input after the insert, a result when its waiters have been told. They are read again when the
// task starts, or somebody asks for them.
#ifndef GROVE_SERVER_TASKS_TASK_MEMORY_H_
#define GROVE_SERVER_TASKS_TASK_MEMORY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// As long as no more tasks wait, inputs up to kInlinePayloadBytesMax stay. Beyond, those of durable
// tasks stay only where they cost nothing, within the string itself: what waits so far behind is
// read again when its turn comes.
inline constexpr int64_t kInlineWaitingMax = 50'000;
// Of the budget: what ended volatile tasks may hold in any case. Beyond it the oldest go before
// their retention is over when memory is short.
inline constexpr int64_t kEndedShare = 4;

// Of one name of those that a task comes after, and of the pair that keeps it waiting.
inline constexpr int64_t kAfterMemoryBytes = 72;

// Inputs of durable tasks that are longer leave the memory.
int64_t InlineInputMax(const EngineState& state);
// What the task takes now.
int64_t MemoryOf(const Task& task);
// Of that, what stays while the task is retained: what its waiters are told from is about to leave.
int64_t RetainedOf(const Task& task);
// To be called after whatever changes it; brings the engine's sums up to date.
void Charge(EngineState& state, Task& task);

// Lets go of what the store has: the input, and once the task is settled the output.
void DropPayload(EngineState& state, Task& task);
// Drops those of which that was asked in an earlier turn, whose waiters have been told since, and
// evicts what has ended.
void DropPayloads(EngineState& state);

// So much waits for the disk that nothing more should be taken from workers.
bool IsClogged(const EngineState& state);
// What counts towards the budget.
int64_t HeldBytes(const EngineState& state);
// RESOURCE_EXHAUSTED if a task with such an input would pass the budget.
absl::Status CheckMemory(const EngineState& state, int64_t input_bytes);
// Which ended task is to go next although its retention is not over: none while there is room, and
// a volatile one as long as what the durable ones leave in memory is little, and a promise.
enum class LeavesFirst { kNone, kVolatile, kOldest };
LeavesFirst LeavesEarly(const EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_MEMORY_H_
