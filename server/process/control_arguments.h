// ControlArguments: how the supervisor starts grove-control.
//
//   grove-control --config_fd=N --scoreboard_fd=N --lifeline_fd=N --ready_fd=N
//
// config_fd: the resolved config (server/process/config_handover.h). scoreboard_fd:
// Scoreboard::Open. lifeline_fd: a pipe that reaches its end when the supervisor is gone: exit
// then. ready_fd: once both ports serve, one line "control=ADDRESS admin=ADDRESS\n" with the real
// ports, then close it. The link of worker N is RUN_DIR/worker-N.link, its backdoor
// RUN_DIR/worker-N.backdoor. SIGTERM: drain, exit with 0. At boot exit 3 for a port that cannot be
// bound, 2 for a bad config: the daemon ends with the same code. SIGINT arrives ignored: the
// supervisor sends SIGTERM.
#ifndef GROVE_SERVER_PROCESS_CONTROL_ARGUMENTS_H_
#define GROVE_SERVER_PROCESS_CONTROL_ARGUMENTS_H_

#include <string>
#include <vector>

namespace grove::process {

struct ControlDescriptors {
  int config_fd = -1;
  int scoreboard_fd = -1;
  int lifeline_fd = -1;
  int ready_fd = -1;
};

// argv[1..] of grove-control.
std::vector<std::string> ControlArguments(const ControlDescriptors& descriptors);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_CONTROL_ARGUMENTS_H_
