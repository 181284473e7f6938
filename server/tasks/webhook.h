// Webhooks: tasks of their own that tell somebody over HTTP that another has ended.
//
// A spec with a webhook makes two tasks. The second one's function, in the workers, POSTs what is
// its checkpoint: the task as it was told when it had ended, which the engine leaves there. So the
// body is stored with the task that sends it, and outlasts the retention of the one it tells of.
#ifndef GROVE_SERVER_TASKS_WEBHOOK_H_
#define GROVE_SERVER_TASKS_WEBHOOK_H_

#include <string>
#include <string_view>

#include "grove/v1/task_service.pb.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

inline constexpr std::string_view kWebhookFunction = "task.webhook";

// Of the task that tells of `task`, a resource name, which `spec` asked for.
v1::TaskSpec WebhookSpec(const v1::TaskSpec& spec, const std::string& task);
// The task that it comes after has ended: its body is what there is to tell. True if it has one
// from now on.
bool WriteWebhookBody(const EngineState& state, Task* task);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_WEBHOOK_H_
