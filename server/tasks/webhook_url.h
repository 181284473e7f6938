// CheckWebhook: whether a spec's webhook can be called.
#ifndef GROVE_SERVER_TASKS_WEBHOOK_URL_H_
#define GROVE_SERVER_TASKS_WEBHOOK_URL_H_

#include "absl/status/status.h"
#include "grove/v1/task_service.pb.h"

namespace grove::tasks {

inline constexpr size_t kWebhookUrlMax = 2048;

// INVALID_ARGUMENT (WEBHOOK_URL_INVALID). Of its form alone: what may be reached, the worker knows.
absl::Status CheckWebhook(const v1::TaskSpec& spec);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_WEBHOOK_URL_H_
