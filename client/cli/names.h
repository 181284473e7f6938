// Resource names as people type them, made whole.
//
// A name that begins with "tenants/", "operators/" or "workers/" is taken as it is.

#ifndef GROVE_CLIENT_CLI_NAMES_H_
#define GROVE_CLIENT_CLI_NAMES_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::client::cli {

// "acme" or "tenants/acme" -> "tenants/acme"; "-" names all tenants.
absl::StatusOr<std::string> TenantName(std::string_view typed);

// "mail" or "queues/mail" -> "tenants/TENANT/queues/mail"; "acme/mail" names another tenant's.
absl::StatusOr<std::string> QueueName(std::string_view typed, std::string_view tenant);

// "small" or "pools/small" -> "tenants/TENANT/pools/small"; "acme/small" names another tenant's.
absl::StatusOr<std::string> PoolName(std::string_view typed, std::string_view tenant);

// "ID" or "tasks/ID" -> "tenants/TENANT/queues/default/tasks/ID"; "Q/ID" or "queues/Q/tasks/ID"
// names queue Q.
absl::StatusOr<std::string> TaskName(std::string_view typed, std::string_view tenant);

// "nightly" or "schedules/nightly" -> "tenants/TENANT/schedules/nightly"; "acme/nightly" names
// another tenant's.
absl::StatusOr<std::string> ScheduleName(std::string_view typed, std::string_view tenant);

// "ID" or "payloads/ID" -> "tenants/TENANT/payloads/ID"; "acme/ID" names another tenant's.
absl::StatusOr<std::string> PayloadName(std::string_view typed, std::string_view tenant);

// "ci" -> "operators/tokens/ci", or "tenants/TENANT/tokens/ci" where there is a tenant; "acme/ci"
// names one of a tenant's.
absl::StatusOr<std::string> TokenName(std::string_view typed, std::string_view tenant);

// "0" -> "workers/0".
absl::StatusOr<std::string> WorkerName(std::string_view typed);

// "0/17" -> "workers/0/fibers/17".
absl::StatusOr<std::string> FiberName(std::string_view typed);

// "12" -> "operations/12".
absl::StatusOr<std::string> OperationName(std::string_view typed);

// "functions/echo" -> "echo".
std::string FunctionName(std::string_view typed);

// The last segment.
std::string ShortName(std::string_view name);

// "QUEUE/ID" of a task's resource name: short, and still accepted by TaskName for the tenant.
std::string ShortTaskName(std::string_view name);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_NAMES_H_
