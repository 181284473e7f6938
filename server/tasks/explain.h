// Explain: what a task that has not started waits for, and until when.
#ifndef GROVE_SERVER_TASKS_EXPLAIN_H_
#define GROVE_SERVER_TASKS_EXPLAIN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "grove/v1/task_service.pb.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// Tasks of one queue that are counted at most, to say how many are ahead.
inline constexpr int64_t kAheadMax = 10000;

// All that it waits for now; what keeps it longest, as far as that is known, first. Empty for a
// task that does not wait. Walks past up to `ahead_max` tasks of its queue; 0: none are counted,
// and no time is expected that depends on them.
std::vector<v1::WaitExplanation> Explain(const EngineState& state, const Task& task,
                                         Audience audience, int64_t ahead_max);

// What keeps the queue's next task from starting; empty if nothing waits.
std::string WaitingReason(const EngineState& state, size_t queue, Audience audience);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_EXPLAIN_H_
