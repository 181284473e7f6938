// CheckInvariants: whether the engine's counts, lists and indices agree with its tasks.
//
// Recounts everything from the records themselves, so it costs as much as there are tasks: tests
// and debug builds call it after every event (EngineOptions::self_check), the daemon never.
#ifndef GROVE_SERVER_TASKS_INVARIANTS_H_
#define GROVE_SERVER_TASKS_INVARIANTS_H_

#include "absl/status/status.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// INTERNAL naming the first thing that does not hold.
absl::Status CheckInvariants(const EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_INVARIANTS_H_
