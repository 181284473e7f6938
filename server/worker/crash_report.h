// InstallCrashReport: a crashing worker says which fiber ran.
//
// On SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT: a stack trace, then the fiber that ran, where it
// was spawned and for which task; then the signal's own end.
#ifndef GROVE_SERVER_WORKER_CRASH_REPORT_H_
#define GROVE_SERVER_WORKER_CRASH_REPORT_H_

namespace grove::worker {

// Once per process, on the hub's thread, before fibers run.
void InstallCrashReport();

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_CRASH_REPORT_H_
