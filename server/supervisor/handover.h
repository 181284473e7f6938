// Handover: how a supervisor goes on as another program, in the same process (execve(2)).
//
// The process keeps its pid, its children and its descriptors; what the next program has to know of
// them stands in a record (proto/grove/internal/v1/handover.proto) in a memory file, whose number
// an environment variable tells. A trial of a program gets the number as a flag instead: a program
// that knows nothing of handovers refuses it, where it would pass over a variable.
#ifndef GROVE_SERVER_SUPERVISOR_HANDOVER_H_
#define GROVE_SERVER_SUPERVISOR_HANDOVER_H_

#include <signal.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/internal/v1/handover.pb.h"

namespace grove::supervisor {

inline constexpr int kHandoverVersion = 1;
// The last argument of a trial, behind --check.
inline constexpr std::string_view kHandoverFlag = "--handover_fd=";
inline constexpr char kHandoverVariable[] = "GROVE_HANDOVER_FD";
// A trial that went well says so on its standard output: whatever else ends with 0 is no program of
// this kind.
inline constexpr std::string_view kTrialPassed = "ready to take over\n";

// The caller's, close-on-exec.
absl::StatusOr<int> WriteHandover(const internal::v1::SupervisorHandover& handover);
// Leaves `fd` open. FAILED_PRECONDITION: of a version that is not known here.
absl::StatusOr<internal::v1::SupervisorHandover> ReadHandover(int fd);

// What the command line or the environment announces, which no longer do then; nullopt: nothing, it
// is a start like any other.
struct HandoverSource {
  int fd = -1;
  bool trial = false;
};
std::optional<HandoverSource> TakeHandoverSource(int& argc, char** argv);

// All that the record names and are not -1.
std::vector<int> DescriptorsOf(const internal::v1::SupervisorHandover& handover);
// After the exec: they are close-on-exec again. INTERNAL names one that is not open.
absl::Status TakeDescriptors(const internal::v1::SupervisorHandover& handover);

// Runs on as `program`, or as the open executable `program_fd` if that is not -1, with the record's
// arguments. Returns if that cannot be done, and why; nothing has changed then. Signals stay
// blocked and pending.
absl::Status GoOnAs(const std::string& program, int program_fd,
                    const internal::v1::SupervisorHandover& handover);

std::vector<int> SignalsIn(const sigset_t& mask);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_HANDOVER_H_
