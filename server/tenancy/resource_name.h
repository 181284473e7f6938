// Resource names: how clients write tenants, queues, pools and tasks.
//
// Parses and formats "tenants/T", "tenants/T/queues/Q", "tenants/T/pools/P" and
// "tenants/T/queues/Q/tasks/ID". Parsed names are views into the text they were parsed from. Knows
// form only, not what exists.
#ifndef GROVE_SERVER_TENANCY_RESOURCE_NAME_H_
#define GROVE_SERVER_TENANCY_RESOURCE_NAME_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grove::tenancy {

// Long enough for a DNS label: such names become label values in Kubernetes and Prometheus.
inline constexpr size_t kShortNameMax = 63;

struct QueueName {
  absl::string_view tenant;
  absl::string_view queue;
};

struct PoolName {
  absl::string_view tenant;
  absl::string_view pool;
};

struct TaskName {
  absl::string_view tenant;
  absl::string_view queue;
  // Not checked further: see TaskId::Parse.
  absl::string_view task;
};

// Whether `name` is [a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?
bool IsShortName(absl::string_view name);

// INVALID_ARGUMENT, with the text and the form it should have, where a name does not parse.
absl::StatusOr<absl::string_view> ParseTenantName(absl::string_view name);
absl::StatusOr<QueueName> ParseQueueName(absl::string_view name);
absl::StatusOr<PoolName> ParsePoolName(absl::string_view name);
absl::StatusOr<TaskName> ParseTaskName(absl::string_view name);

std::string FormatTenantName(absl::string_view tenant);
std::string FormatQueueName(absl::string_view tenant, absl::string_view queue);
std::string FormatPoolName(absl::string_view tenant, absl::string_view pool);

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_RESOURCE_NAME_H_
