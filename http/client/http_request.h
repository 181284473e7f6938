// HttpRequest and HttpResponse: what is asked of another server, and what it said.
//
// Values; any thread.
#ifndef GROVE_HTTP_CLIENT_HTTP_REQUEST_H_
#define GROVE_HTTP_CLIENT_HTTP_REQUEST_H_

#include <climits>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/client/url.h"
#include "http/message/field.h"

namespace grove::http {

class CookieJar;

// In order, as they are sent.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The next piece of a body; an empty one is its end. May park.
using HttpBodySource = absl::AnyInvocable<absl::StatusOr<std::string>()>;

enum class HttpProtocol : uint8_t { kHttp1, kHttp2 };

struct HttpRequest {
  // Absolute. "user:password@" becomes an Authorization field, unless `fields` has one.
  std::string url;
  std::string method = "GET";
  // Host, Content-Length, Transfer-Encoding, Connection and their kin are the client's to set.
  HttpFields fields;
  std::string body;
  // Instead of `body`: asked for the body piece by piece, once. Without `source_length` it is sent
  // in chunks; with it, it must yield so many bytes.
  HttpBodySource source = nullptr;
  std::optional<uint64_t> source_length = std::nullopt;
  // Waits with the body until the server says "100 Continue", or for a second.
  bool expect_continue = false;
  // It may be sent again if a connection is lost, although its method is not idempotent (RFC 9110,
  // 9.2.2): the server knows it by an Idempotency-Key, or the like.
  bool may_repeat = false;
  // Each counts as far as it is tighter than the client's; body_max_bytes of Fetch() alone.
  int redirects_max = INT_MAX;
  size_t body_max_bytes = SIZE_MAX;
  // Not over TCP: the path of a UNIX socket; the URL's host is only named.
  std::string unix_socket;
  // Asks to go on in another protocol, such as "websocket", by GET without a body. A server that
  // does answers 101, and HttpExchange::TakeConnection() has the rest; any other answer is as ever.
  std::string upgrade;
  // Asked before a redirect is followed, with where it leads; an error ends the request with it.
  std::function<absl::Status(const Url& next)> on_redirect = nullptr;
  // Sent from and kept in it, at redirects too; it must outlive the request. Null: no cookies. A
  // Cookie of `fields` goes in the place of the jar's.
  CookieJar* cookies = nullptr;
  // Not over HTTP/2, whatever the client's options: nothing else is offered to the server.
  bool http1_only = false;
};

struct HttpResponse {
  int status = 0;
  // After redirects, without credentials.
  std::string url;
  HttpFields fields;
  std::string body;
  HttpFields trailers;
  HttpProtocol protocol = HttpProtocol::kHttp1;

  // Of the first field of that name, whatever the case; empty if there is none.
  std::string_view Field(std::string_view name) const {
    for (const auto& [each, value] : fields) {
      if (EqualsIgnoreCase(each, name)) return value;
    }
    return "";
  }
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP_REQUEST_H_
