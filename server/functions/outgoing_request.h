// OutgoingRequest: what http.request is asked for, from its JSON.
//
//   {"url": …, "method": "POST", "headers": {…}, "body" | "json" | "body_base64": …,
//    "expect_status": ["2xx", 404], "retry_status": [429, "5xx"], "timeout_s": 5,
//    "response_bytes_max": 65536, "redirects_max": 0,
//    "sign": {"secret": "orders", "scheme": "standard_webhooks", "header": …}}
//
// A value; any thread.
#ifndef GROVE_SERVER_FUNCTIONS_OUTGOING_REQUEST_H_
#define GROVE_SERVER_FUNCTIONS_OUTGOING_REQUEST_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/functions/fetch.h"

namespace grove::functions {

// Ranges of status codes.
class StatusSet {
 public:
  // "2xx" or "404". False: it is neither.
  bool Add(std::string_view text);
  bool Has(int status) const;

 private:
  struct Range {
    int first;
    int last;
  };
  std::vector<Range> ranges_;
};

struct RequestSigning {
  enum class Scheme { kStandardWebhooks, kBodySha256 };
  std::string secret;  // its name
  Scheme scheme = Scheme::kStandardWebhooks;
  std::string header;  // of kBodySha256
};

struct OutgoingRequest {
  FetchRequest fetch;
  StatusSet expected;
  StatusSet retried;
  std::optional<RequestSigning> signing;
};

// The field "headers": {"name":"value",…} or [["name","value"],…], which can repeat a name.
absl::StatusOr<FetchFields> HeadersField(const nlohmann::json& input);

// kInvalidArgument: "timeout_s: expected a number, not string". Unknown fields are refused.
absl::StatusOr<OutgoingRequest> ParseOutgoingRequest(std::string_view text);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_OUTGOING_REQUEST_H_
