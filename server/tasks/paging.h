// Paging: what all lists of the engine have in common.
#ifndef GROVE_SERVER_TASKS_PAGING_H_
#define GROVE_SERVER_TASKS_PAGING_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::tasks {

// 100 for 0; at most 1,000. INVALID_ARGUMENT if negative.
absl::StatusOr<int32_t> PageSize(int32_t asked);
// For a token that is not this list's.
absl::Status BadPageToken();
// `kind` is QUEUE, POOL or TENANT.
absl::Status NotInConfig(std::string_view kind, std::string_view name);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_PAGING_H_
