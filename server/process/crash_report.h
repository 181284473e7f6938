// InstallCrashReport: a process that crashes says which fiber ran.
//
// On SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT: the fiber that ran, where it was spawned and for
// which task; a stack trace; then the signal's own end. On a SIGABRT from the supervisor, which so
// ends a process that is stuck, the stacks of all other fibers too, within kDumpTimeMax.
#ifndef GROVE_SERVER_PROCESS_CRASH_REPORT_H_
#define GROVE_SERVER_PROCESS_CRASH_REPORT_H_

#include "absl/time/time.h"

namespace grove::process {

// Well below what the supervisor waits before SIGKILL.
inline constexpr absl::Duration kDumpTimeMax = absl::Seconds(2);

// Once per process, on the hub's thread, before fibers run.
void InstallCrashReport();

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_CRASH_REPORT_H_
