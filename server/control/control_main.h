// ControlMain: the process grove-control.
#ifndef GROVE_SERVER_CONTROL_CONTROL_MAIN_H_
#define GROVE_SERVER_CONTROL_CONTROL_MAIN_H_

namespace grove::control {

// Started by the supervisor alone (server/process/control_arguments.h). Exit codes: 0 stopped as
// asked, 1 crash, 2 bad flags or config, 3 cannot bind.
int ControlMain(int argc, char** argv);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CONTROL_MAIN_H_
