// PermessageDeflate: what the two ends agree on about compression (RFC 7692, 7.1).
//
// Pure: the server takes the client's Sec-WebSocket-Extensions and yields an agreement and the
// answer's value; the client writes an offer and reads the agreement from the answer.
#ifndef GROVE_HTTP_WEBSOCKET_PERMESSAGE_DEFLATE_H_
#define GROVE_HTTP_WEBSOCKET_PERMESSAGE_DEFLATE_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace grove::http::websocket {

struct Extension {
  struct Parameter {
    std::string name;
    std::optional<std::string> value;  // a quoted string's, without the quotes
  };
  std::string name;
  std::vector<Parameter> parameters;
};

// The elements of all Sec-WebSocket-Extensions fields joined with ',' (RFC 6455, 9.1).
// kInvalidArgument: not of that grammar; also beyond kExtensionsMax elements.
inline constexpr size_t kExtensionsMax = 32;
absl::StatusOr<std::vector<Extension>> ParseExtensions(std::string_view value);

// Window sizes are powers of two, given as exponents from 8 to 15 (RFC 7692, 7.1.2).
struct DeflatePolicy {
  // The most we use for compressing, and let a client use that asks. Bounds the memory: a
  // compressor takes 2^(bits+2) bytes and 16 KiB, a decompressor 2^bits and 7 KiB.
  int server_window_bits = 12;
  int client_window_bits = 15;
  // Start every message afresh, and hold no memory between messages.
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
};

struct DeflateAgreement {
  int server_window_bits = 15;
  int client_window_bits = 15;
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  // The value of the answer's Sec-WebSocket-Extensions, for the server to send.
  std::string answer;
};

// Takes the first offer that can be met; none if there is none. An offer with an unknown, repeated
// or invalid parameter is declined, as it must be.
std::optional<DeflateAgreement> NegotiateDeflate(const std::vector<Extension>& offers,
                                                 const DeflatePolicy& policy);

// The value of the client's Sec-WebSocket-Extensions: one offer, that the server may limit our
// window (RFC 7692, 7.1.2.2), and what else the policy asks for.
std::string DeflateOffer(const DeflatePolicy& policy);

// What the answer to that offer says; nothing if it has no extensions. kUnavailable: it does not go
// with the offer: other extensions, or parameters that were not offered or mean nothing.
absl::StatusOr<std::optional<DeflateAgreement>> TakeDeflateAnswer(
    const std::vector<Extension>& answer, const DeflatePolicy& policy);

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_PERMESSAGE_DEFLATE_H_
