// TaskFilterFlags: the flags by which tasks are chosen, for lists and for what is done to many.

#ifndef GROVE_CLIENT_CLI_TASK_FILTER_FLAGS_H_
#define GROVE_CLIENT_CLI_TASK_FILTER_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/arguments.h"
#include "client/cli/command.h"
#include "grove/v1/task_service.pb.h"

namespace grove::client::cli {

std::vector<FlagSpec> TaskFilterFlags();

struct TaskChoice {
  std::string parent;
  v1::TaskFilter filter;
};

// What the flags choose. "5m" is five minutes before `now`.
absl::StatusOr<TaskChoice> ChosenTasks(const Command& command, absl::Time now);
// Whether any of them is given that leaves tasks out: --tenant alone chooses all of a tenant's.
bool ChoosesSome(const Command& command);

// A google.rpc.Code of an error: "NOT_FOUND" or 5.
absl::StatusOr<int> ParseCode(const std::string& flag, const std::string& typed);

// "KEY=VALUE" of a flag, into `labels`.
absl::Status AddLabel(const std::string& flag, const std::string& typed,
                      google::protobuf::Map<std::string, std::string>& labels);

// "5m" before (sign -1) or after (sign 1) `now`, or a time as 2026-11-29T10:00:00Z.
absl::StatusOr<absl::Time> ParseTime(const std::string& flag, const std::string& typed,
                                     absl::Time now, int sign);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TASK_FILTER_FLAGS_H_
