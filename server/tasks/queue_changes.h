// QueueChanges: what a caller says of a queue beside the config.
#ifndef GROVE_SERVER_TASKS_QUEUE_CHANGES_H_
#define GROVE_SERVER_TASKS_QUEUE_CHANGES_H_

#include <string_view>

#include "absl/status/status.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// Pauses or resumes it, and has the store keep that. What the config says already is not kept, so
// that the config may say otherwise later. INVALID_ARGUMENT, NOT_FOUND.
absl::Status SayOfQueue(EngineState& state, std::string_view name, bool paused,
                        std::string_view reason, Effects& effects);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_QUEUE_CHANGES_H_
