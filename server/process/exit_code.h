// ExitCode: how a process of the daemon ended, as its parent reads it.
//
// The supervisor's own are documented in docs/operations.md, and those that control ends with
// before the daemon serves become the supervisor's.
#ifndef GROVE_SERVER_PROCESS_EXIT_CODE_H_
#define GROVE_SERVER_PROCESS_EXIT_CODE_H_

namespace grove::process {

// Unscoped: main() returns them, waitpid(2) gives them back.
enum ExitCode {
  kExitStopped = 0,      // as asked
  kExitCrash = 1,        // also: did not end in time
  kExitBadConfig = 2,    // flags, config or directories
  kExitCannotBind = 3,   // an address
  kExitCannotBoot = 4,   // the supervisor's: children die before they are ready
  kExitCannotRun = 127,  // a launched program cannot be executed, as shells say it
};

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_EXIT_CODE_H_
