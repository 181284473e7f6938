// Resource names: how clients write tenants, queues, pools and tasks.
//
// Parses and formats "tenants/T", "tenants/T/queues/Q", "tenants/T/pools/P",
// "tenants/T/queues/Q/tasks/ID", "tenants/T/schedules/S", "tenants/T/payloads/ID",
// "tenants/T/tokens/ID" and "operators/tokens/ID". Parsed names are views into the text they were
// parsed from. Knows form only, not what exists.
#ifndef GROVE_SERVER_TENANCY_RESOURCE_NAME_H_
#define GROVE_SERVER_TENANCY_RESOURCE_NAME_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::tenancy {

// Long enough for a DNS label: such names become label values in Kubernetes and Prometheus.
inline constexpr size_t kShortNameMax = 63;

struct QueueName {
  std::string_view tenant;
  std::string_view queue;
};

struct PoolName {
  std::string_view tenant;
  std::string_view pool;
};

struct TaskName {
  std::string_view tenant;
  std::string_view queue;
  // Not checked further: see TaskId::Parse.
  std::string_view task;
};

struct ScheduleName {
  std::string_view tenant;
  std::string_view schedule;
};

struct PayloadName {
  std::string_view tenant;
  // Not checked further: see TaskId::Parse.
  std::string_view payload;
};

struct TokenName {
  // Empty: the operators.
  std::string_view tenant;
  std::string_view token;
};

// Whether `name` is [a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?
bool IsShortName(std::string_view name);

// INVALID_ARGUMENT, with the text and the form it should have, where a name does not parse.
absl::StatusOr<std::string_view> ParseTenantName(std::string_view name);
absl::StatusOr<QueueName> ParseQueueName(std::string_view name);
absl::StatusOr<PoolName> ParsePoolName(std::string_view name);
absl::StatusOr<TaskName> ParseTaskName(std::string_view name);
absl::StatusOr<ScheduleName> ParseScheduleName(std::string_view name);
absl::StatusOr<PayloadName> ParsePayloadName(std::string_view name);
absl::StatusOr<TokenName> ParseTokenName(std::string_view name);
// Whose tokens: "tenants/T", or "operators", which gives an empty name.
absl::StatusOr<std::string_view> ParseTokenParent(std::string_view name);

std::string FormatTenantName(std::string_view tenant);
std::string FormatQueueName(std::string_view tenant, std::string_view queue);
std::string FormatPoolName(std::string_view tenant, std::string_view pool);
std::string FormatScheduleName(std::string_view tenant, std::string_view schedule);
std::string FormatPayloadName(std::string_view tenant, std::string_view payload);
std::string FormatTokenName(std::string_view tenant, std::string_view token);
std::string FormatTokenParent(std::string_view tenant);

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_RESOURCE_NAME_H_
