// Url: where a request goes, from an absolute http or https URL (RFC 3986).
//
// Strict in what a caller writes, lenient in what a server's Location says: blanks and bytes beyond
// ASCII there are percent-encoded, as browsers do. A value; any thread.
#ifndef GROVE_HTTP_CLIENT_URL_H_
#define GROVE_HTTP_CLIENT_URL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::http {

inline constexpr size_t kUrlBytesMax = 8192;

struct Url {
  bool https = false;
  // Lower case; an IPv6 address without its brackets.
  std::string host;
  uint16_t port = 80;
  // Path and query, as they are sent: "/", "/a?b=c".
  std::string target = "/";
  // "user:password" as it was written; empty: none. Never in a text for people.
  std::string userinfo;

  // kInvalidArgument: it is no such URL, with what is wrong about it. A fragment is dropped.
  static absl::StatusOr<Url> Parse(std::string_view text);
  // What `reference` means in an answer from here (RFC 3986, 5.2). kPermissionDenied: another
  // scheme; kFailedPrecondition: malformed.
  absl::StatusOr<Url> Follow(std::string_view reference) const;

  // Without userinfo.
  std::string ToString() const;
  // "example.org", "[::1]:8080": without the scheme's own port.
  std::string HostField() const;
  // "host:443", with the port in any case: what CONNECT names.
  std::string Authority() const;
  bool SameOrigin(const Url& other) const {
    return https == other.https && port == other.port && host == other.host;
  }
};

// A reference as http and https, where it says ws or wss: WebSockets open with those (RFC 6455, 3).
std::string HttpReference(std::string_view reference);

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_URL_H_
