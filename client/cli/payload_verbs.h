// The verbs of payloads; verbs.cc puts all together.

#ifndef GROVE_CLIENT_CLI_PAYLOAD_VERBS_H_
#define GROVE_CLIENT_CLI_PAYLOAD_VERBS_H_

#include <string>
#include <vector>

#include "client/cli/complete.h"
#include "client/cli/verbs.h"

namespace grove::client::cli {

std::vector<Verb> PayloadVerbs();

// For a PAYLOAD of the tenant that is being typed; `daemon` may be null.
std::vector<Candidate> PayloadCandidates(Client* daemon, const std::string& tenant);

absl::Status RunPayloads(Command& command);
absl::Status RunPayloadsShow(Command& command);
absl::Status RunPayloadsPut(Command& command);
absl::Status RunPayloadsGet(Command& command);
absl::Status RunPayloadsDelete(Command& command);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_PAYLOAD_VERBS_H_
