// Inspections: what the application tells in the backdoor, as the backdoor takes it.
#ifndef GROVE_SERVER_WORKER_INSPECTIONS_H_
#define GROVE_SERVER_WORKER_INSPECTIONS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/application.h"
#include "server/backdoor/backdoor.h"

namespace grove::worker {

backdoor::BackdoorTable DescribeInspections(const Application& application);
// kNotFound: there is none of that name. What it throws is an error.
absl::StatusOr<std::string> Inspect(const Application& application, WorkerServices& services,
                                    const std::string& name, std::string_view argument);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_INSPECTIONS_H_
