// Payload links: what a task has to do with payloads.
//
// The one place where a task's payloads are looked up, taken and released. A task takes its input's
// when it is accepted or restored, and its output's when it succeeds; it releases the output's when
// it is to run again, and both when it is forgotten.
#ifndef GROVE_SERVER_TASKS_PAYLOAD_LINKS_H_
#define GROVE_SERVER_TASKS_PAYLOAD_LINKS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// The payload's, where the spec names one and no content type. Before CheckSpec().
void FillContentType(const EngineState& state, v1::TaskSpec& spec);
// NOT_FOUND (PAYLOAD_NOT_FOUND): the spec names none of the tenant's. INVALID_ARGUMENT:
// NAME_INVALID, INPUT_AMBIGUOUS (it has an input, too), INPUT_TOO_LARGE (its function would have to
// read it whole). Of a spec that CheckSpec() lets pass.
absl::Status CheckInputPayload(const EngineState& state, std::string_view tenant,
                               const v1::TaskSpec& spec);

// Those that it names, as it is added.
void HoldPayloads(EngineState& state, const Task& task);
// Of one that stays in the store without being restored.
void HoldPayloadsOf(EngineState& state, const StoredTask& stored);
// The one that it has written.
void SetOutputPayload(EngineState& state, Task& task, std::string_view id);
// It runs again.
void DropOutputPayload(EngineState& state, Task& task);
// It is forgotten, with the last write for the store.
void ReleasePayloads(EngineState& state, const Task& task);
// As that, of one that only the store has. What it names stays held as long as it is there.
void ReleasePayloadsOf(EngineState& state, TaskId id);

// Names; empty: none.
std::string_view InputPayloadOf(const Task& task);
std::string_view OutputPayloadOf(const Task& task);
// Of a payload; 0 if it is not there.
int64_t PayloadBytes(const EngineState& state, std::string_view name);
void FillInputPayload(const EngineState& state, const Task& task,
                      internal::v1::StartAttempt* start);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_PAYLOAD_LINKS_H_
