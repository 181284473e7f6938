// QuotaFlags: the flags that bound a tenant, or the tasks of a limit key.

#ifndef GROVE_CLIENT_CLI_QUOTA_FLAGS_H_
#define GROVE_CLIENT_CLI_QUOTA_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/arguments.h"
#include "client/cli/command.h"
#include "google/protobuf/field_mask.pb.h"
#include "grove/v1/tenant_service.pb.h"

namespace grove::client::cli {

// Each is a field of the message.
std::vector<FlagSpec> QuotaFlags();
std::vector<FlagSpec> LimitFlags();

// What the flags say goes into the message; their paths, "quotas.running_max", to `mask`.
absl::Status TakeQuotas(const Command& command, v1::Tenant& tenant,
                        google::protobuf::FieldMask& mask);
// Whether any was given.
absl::StatusOr<bool> TakeLimit(const Command& command, v1::Limit& limit);

// "5/s, 10 at once", "3/min"; empty: none.
std::string RateText(const v1::Quotas& quotas);
std::string RateText(const v1::Limit& limit);
std::string HttpRateText(const v1::Quotas& quotas);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_QUOTA_FLAGS_H_
