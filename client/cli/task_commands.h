// What commands about tasks share: what a task is to be, views, watches, and when its end counts as
// success of the command that waited for it.

#ifndef GROVE_CLIENT_CLI_TASK_COMMANDS_H_
#define GROVE_CLIENT_CLI_TASK_COMMANDS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/command.h"
#include "grove/v1/task_service.pb.h"

namespace grove::client::cli {

// What the line asks for: FUNCTION is the argument at `function_at`, INPUT the one behind it.
absl::StatusOr<v1::TaskSpec> MakeSpec(const Command& command, size_t function_at);

// How much of the tasks is asked for: `fallback` unless --view says.
absl::StatusOr<v1::TaskView> ViewFlag(const Command& command, v1::TaskView fallback);

// A line for each event of the tasks that the flags choose, until Ctrl-C.
absl::Status WatchTasks(Command& command, v1::TaskView view, bool with_existing);
// The queue of that name, or all below "tenants/T/queues/-", again when they have changed.
absl::Status WatchQueues(Command& command, const std::string& name);

// OK only for a SUCCEEDED task. Otherwise the task's own error, or that it has not ended after
// `waited`.
absl::Status OutcomeOf(const v1::Task& task, absl::Duration waited);

// The same code and details, with `prefix` before the message.
absl::Status PrefixedStatus(const absl::Status& status, std::string_view prefix);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TASK_COMMANDS_H_
