// Quota settings: what a call says of quotas and limits, as clients see it.
#ifndef GROVE_SERVER_CONTROL_QUOTA_SETTINGS_H_
#define GROVE_SERVER_CONTROL_QUOTA_SETTINGS_H_

#include <string>

#include "absl/status/status.h"
#include "grove/v1/tenant_service.pb.h"
#include "server/tenancy/quotas.h"

namespace grove::control {

// INVALID_ARGUMENT (QUOTA_INVALID; LIMIT_PATTERN_INVALID, LIMIT_INVALID), naming the field.
absl::Status CheckQuotas(const v1::Quotas& quotas);
absl::Status CheckLimit(const v1::Limit& limit);

// Takes over what a mask's `path` names, "quotas" or one of its fields. False: it is none of these.
bool TakeQuotas(const std::string& path, const v1::Quotas& said, v1::Quotas& quotas);

// Nothing where nothing is bound.
void FillQuotas(const tenancy::Quotas& quotas, v1::Tenant& view);
v1::Limit ViewLimit(const tenancy::Limit& limit);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_QUOTA_SETTINGS_H_
