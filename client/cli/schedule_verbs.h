// The verbs of schedules; verbs.cc puts all together.

#ifndef GROVE_CLIENT_CLI_SCHEDULE_VERBS_H_
#define GROVE_CLIENT_CLI_SCHEDULE_VERBS_H_

#include <vector>

#include "client/cli/verbs.h"

namespace grove::client::cli {

std::vector<Verb> ScheduleVerbs();

absl::Status RunSchedules(Command& command);
absl::Status RunSchedulesGet(Command& command);
absl::Status RunSchedulesCreate(Command& command);
absl::Status RunSchedulesUpdate(Command& command);
absl::Status RunSchedulesDelete(Command& command);
absl::Status RunSchedulesPause(Command& command);
absl::Status RunSchedulesResume(Command& command);
absl::Status RunSchedulesRun(Command& command);
absl::Status RunSchedulesNext(Command& command);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_SCHEDULE_VERBS_H_
