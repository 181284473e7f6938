// ControlArguments: how the supervisor starts grove-control, written and read.
//
//   grove-control --config_fd=N --scoreboard_fd=N --lifeline_fd=N --ready_fd=N
//                 --volatile_tasks_fd=N --command_fd=N
//
// config_fd: the resolved config (server/process/config_handover.h). scoreboard_fd:
// Scoreboard::Open. lifeline_fd: server/process/lifeline.h. ready_fd: takes the ready line once
// both ports serve (server/process/ready_line.h). The link of worker N is RUN_DIR/worker-N.link,
// its backdoor RUN_DIR/worker-N.backdoor. volatile_tasks_fd: a memory file for the next control
// (server/tasks/volatile_handover.h). command_fd: its end of the command channel
// (server/process/command_channel.h). SIGTERM: drain, exit with 0. SIGQUIT: leave everything to the
// next control, at once, exit with 0. At boot exit 3 for a port that cannot be bound, 2 for a bad
// config: the daemon ends with the same code. SIGINT arrives ignored: the supervisor sends SIGTERM.
#ifndef GROVE_SERVER_PROCESS_CONTROL_ARGUMENTS_H_
#define GROVE_SERVER_PROCESS_CONTROL_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace grove::process {

struct ControlDescriptors {
  int config_fd = -1;
  int scoreboard_fd = -1;
  int lifeline_fd = -1;
  int ready_fd = -1;
  int volatile_tasks_fd = -1;
  int command_fd = -1;

  friend bool operator==(const ControlDescriptors&, const ControlDescriptors&) = default;
};

// argv[1..] of grove-control.
std::vector<std::string> FormatControlArguments(const ControlDescriptors& descriptors);

// In grove-control: all of them, which become close-on-exec. kInvalidArgument names an argument
// that is missing or unknown, or whose descriptor is not open.
absl::StatusOr<ControlDescriptors> ParseControlArguments(int argc, const char* const* argv);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_CONTROL_ARGUMENTS_H_
