// ForkWorker, StartControl: the two ways in which the supervisor makes processes.
//
// Both refuse unless the process is single-threaded (invariant 1): a fork copies the locks that
// other threads hold, and nobody in the child would ever release them. Children die with their
// parent.
#ifndef GROVE_SERVER_SUPERVISOR_LAUNCH_H_
#define GROVE_SERVER_SUPERVISOR_LAUNCH_H_

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/line_limit.h"

namespace grove::supervisor {

// Which lines are written of processes that could not be started: their number is a metric.
inline constexpr absl::Duration kNotStartedLineEvery = absl::Minutes(1);
struct NotStartedLines {
  LineLimit workers{kNotStartedLineEvery};
  LineLimit control{kNotStartedLineEvery};
};

// kFailedPrecondition with the number of threads.
absl::Status CheckSingleThreaded();

// A forked child that runs `body` and exits with what it returns. It keeps the caller's signal
// mask.
absl::StatusOr<pid_t> ForkWorker(absl::FunctionRef<int()> body);

// Runs `program`, as the open executable `program_fd` if that is not -1 and no script, with
// `arguments` (argv[1..]), the descriptors `inherited` open, `mask` as its signal mask and SIGINT
// ignored.
absl::StatusOr<pid_t> StartControl(const std::string& program, int program_fd,
                                   const std::vector<std::string>& arguments,
                                   const std::vector<int>& inherited, const sigset_t& mask);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_LAUNCH_H_
