// Refusal: why a request gets an answer without a handler's having seen it.
#ifndef GROVE_HTTP_MESSAGE_REFUSAL_H_
#define GROVE_HTTP_MESSAGE_REFUSAL_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace grove::http {

// What was wrong, as metrics count it. Numbers stand in the scoreboard.
enum class RefusalKind : uint8_t {
  kRequestLine,  // none, or a malformed one
  kTarget,
  kVersion,
  kField,    // malformed, or twice what may stand once
  kHost,     // missing, malformed, or more than one
  kFraming,  // where the body ends: Content-Length, Transfer-Encoding, chunks
  kExpectation,
  kTooLarge,  // line, fields or body
  kLate,      // the head took too long
  kUnserved,  // CONNECT, or another scheme than the connection's
  kHttp2,
  kPlainOnTls,
};

inline constexpr std::array<std::string_view, 12> kRefusalKinds = {
    "request_line", "target",    "version", "field",    "host",  "framing",
    "expectation",  "too_large", "late",    "unserved", "http2", "plain_on_tls"};

// A status code, its kind, and a phrase for people. OK where `status` is 0.
struct Refusal {
  int status = 0;
  RefusalKind kind = RefusalKind::kRequestLine;
  std::string_view reason;
  explicit operator bool() const { return status != 0; }
};

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_REFUSAL_H_
