// DaemonNumber: which daemon this process belongs to.
//
// The same in all workers and controls that one supervisor starts, and another after the supervisor
// was started again: control tells by it whether a worker died by itself or with the whole daemon.
#ifndef GROVE_SERVER_PROCESS_DAEMON_NUMBER_H_
#define GROVE_SERVER_PROCESS_DAEMON_NUMBER_H_

#include <cstdint>

namespace grove::process {

// Of this process's parent, the supervisor: a hash of the machine's boot, the parent's id and when
// it started (proc(5)). Reads files; blocks.
uint32_t DaemonNumber();

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_DAEMON_NUMBER_H_
