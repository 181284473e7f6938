// Inspections: what the application tells of itself, as the backdoor and the link take it.
#ifndef GROVE_SERVER_WORKER_INSPECTIONS_H_
#define GROVE_SERVER_WORKER_INSPECTIONS_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "grove/internal/v1/link.pb.h"
#include "server/application.h"
#include "server/backdoor/backdoor.h"

namespace grove::worker {

// Of one value among all, and of one that is asked for by its name.
inline constexpr size_t kValueBytesMax = 16 << 10;
inline constexpr size_t kSingleValueBytesMax = 256 << 10;
// Of all values and commands that one answer has.
inline constexpr int kValuesPerReplyMax = 200;

backdoor::BackdoorTable DescribeInspections(const Application& application);
// kNotFound: there is none of that name. What it throws is an error.
absl::StatusOr<std::string> Inspect(const Application& application, WorkerServices& services,
                                    const std::string& name, std::string_view argument);

// The values, and which commands there are: these are not run.
internal::v1::ReadValuesReply ReadValues(const Application& application, WorkerServices& services,
                                         const internal::v1::ReadValues& request);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_INSPECTIONS_H_
