// Spawn quotas: whether a tenant's quotas, and the limits of a task's keys, let it in.
#ifndef GROVE_SERVER_TASKS_SPAWN_QUOTAS_H_
#define GROVE_SERVER_TASKS_SPAWN_QUOTAS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// RESOURCE_EXHAUSTED, naming what is full: QUOTA_QUEUED, QUOTA_QUEUED_BYTES, LIMIT_QUEUED, and of
// how often, QUOTA_SPAWN_RATE and LIMIT_SPAWN_RATE. Takes nothing. `key` as AcceptedSpec has it.
absl::Status CheckQuotas(const EngineState& state, size_t tenant, std::string_view key,
                         int64_t input_bytes);
// The same for an ended task that is to wait again: however often.
absl::Status CheckQuotasToReturn(const EngineState& state, const Task& task);
// The same for a task that waits and is to count for the key `key`: however often, and of what it
// does not count for already.
absl::Status CheckQuotasToMove(const EngineState& state, const Task& task, std::string_view key);
// The task was let in: it counts towards the rates.
void CountSpawn(EngineState& state, const Task& task);
// The same for one that an earlier control let in, when that was. In the order of their ids.
void CountEarlierSpawn(EngineState& state, const Task& task);
// Of the tenant alone: of a task of which no more is known than when it came.
void CountEarlierSpawn(EngineState& state, size_t tenant, EngineMicros at_us);
// After the last of them.
void EndEarlierSpawns(EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SPAWN_QUOTAS_H_
