// Task outcomes: when the end of a task counts as success of the command that waited for it.

#ifndef GROVE_CLIENT_CLI_TASK_COMMANDS_H_
#define GROVE_CLIENT_CLI_TASK_COMMANDS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grove/v1/task_service.pb.h"

namespace grove::client::cli {

// OK only for a SUCCEEDED task. Otherwise the task's own error, or that it has not ended after
// `waited`.
absl::Status OutcomeOf(const v1::Task& task, absl::Duration waited);

// The same code and details, with `prefix` before the message.
absl::Status PrefixedStatus(const absl::Status& status, std::string_view prefix);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TASK_COMMANDS_H_
