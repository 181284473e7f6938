// WebhookSignature: how what is sent is signed, so that its receiver knows whom it is from.
//
// Pure; any thread.
#ifndef GROVE_SERVER_FUNCTIONS_WEBHOOK_SIGNATURE_H_
#define GROVE_SERVER_FUNCTIONS_WEBHOOK_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::functions {

// The key of "whsec_BASE64", or the text itself. INVALID_ARGUMENT: what follows whsec_ is no
// base64.
absl::StatusOr<std::string> WebhookKey(std::string_view secret);
// "v1,BASE64" of the HMAC-SHA256 of id, time and body, as standardwebhooks.com says.
std::string WebhookSignature(std::string_view key, std::string_view id, int64_t unix_seconds,
                             std::string_view body);
// "sha256=HEX" of the HMAC-SHA256 of the body alone, as GitHub's X-Hub-Signature-256 has it.
std::string BodySignature(std::string_view key, std::string_view body);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_WEBHOOK_SIGNATURE_H_
