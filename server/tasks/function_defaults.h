// Function defaults: what a function says of tasks whose specs do not.
#ifndef GROVE_SERVER_TASKS_FUNCTION_DEFAULTS_H_
#define GROVE_SERVER_TASKS_FUNCTION_DEFAULTS_H_

#include "grove/internal/v1/link.pb.h"
#include "grove/v1/task_service.pb.h"

namespace grove::tasks {

// Fills in what `spec` leaves unset: the retry policy, field by field, the queue, the slots it
// takes, and the time-outs but that of an attempt, which is looked up at each start. Pure.
void FillDefaults(const internal::v1::FunctionDescription& function, v1::TaskSpec& spec);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FUNCTION_DEFAULTS_H_
