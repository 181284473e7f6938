// AskVersion: what a program answers to --version.
//
// Of a grove-control that stands beside a program on trial: whether it can be run, and is of the
// same build. Blocks until the program ends: for a process that others wait for with a time-out.
#ifndef GROVE_SERVER_SUPERVISOR_PROGRAM_VERSION_H_
#define GROVE_SERVER_SUPERVISOR_PROGRAM_VERSION_H_

#include <string>

#include "absl/status/statusor.h"

namespace grove::supervisor {

// The first line of its standard output. FAILED_PRECONDITION: it does not answer with one and exit
// code 0.
absl::StatusOr<std::string> AskVersion(const std::string& program);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_PROGRAM_VERSION_H_
