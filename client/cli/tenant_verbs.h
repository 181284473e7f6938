// The verbs of tenants, tokens and limits; verbs.cc puts all together.

#ifndef GROVE_CLIENT_CLI_TENANT_VERBS_H_
#define GROVE_CLIENT_CLI_TENANT_VERBS_H_

#include <vector>

#include "client/cli/verbs.h"

namespace grove::client::cli {

std::vector<Verb> TenantVerbs();
std::vector<Verb> TokenVerbs();
std::vector<Verb> LimitVerbs();

absl::Status RunTenants(Command& command);
absl::Status RunTenantsCreate(Command& command);
absl::Status RunTenantsGet(Command& command);
absl::Status RunTenantsUpdate(Command& command);
absl::Status RunTenantsDelete(Command& command);
absl::Status RunTokens(Command& command);
absl::Status RunTokensCreate(Command& command);
absl::Status RunTokensGet(Command& command);
absl::Status RunTokensRotate(Command& command);
absl::Status RunTokensRevoke(Command& command);
absl::Status RunLimits(Command& command);
absl::Status RunLimitsSet(Command& command);
absl::Status RunLimitsDelete(Command& command);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TENANT_VERBS_H_
