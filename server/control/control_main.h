// ControlMain: the process grove-control.
#ifndef GROVE_SERVER_CONTROL_CONTROL_MAIN_H_
#define GROVE_SERVER_CONTROL_CONTROL_MAIN_H_

namespace grove::control {

// Started by the supervisor alone (server/process/control_arguments.h). Returns its exit code
// (server/process/exit_code.h).
int ControlMain(int argc, char** argv);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CONTROL_MAIN_H_
