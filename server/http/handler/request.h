// Request: what a handler sees of a request, whatever the wire form.
//
// Names and values are views into the connection's buffers: valid until the handler returns.
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_REQUEST_H_
#define GROVE_SERVER_HTTP_HANDLER_REQUEST_H_

#include <forward_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/message/field.h"
#include "runtime/tls/certificate.h"

namespace grove::http {

// Where a request's body comes from. The seam between handlers and wire forms.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Bytes read, 0 at the end. kInvalidArgument: malformed; kResourceExhausted: over the limit;
  // kDeadlineExceeded: the client was too slow; kUnavailable: the client is gone. **Parks.**
  virtual absl::StatusOr<size_t> Read(std::span<char> buffer) = 0;
};

// A part of the path that a route's {name} matched, decoded.
struct PathParam {
  std::string_view name;
  std::string_view value;
};

// The exchange that a request belongs to, as far as its handler may touch it. As BodySource.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void CancelOnDisconnect() = 0;
};

struct Request {
  std::string_view method;  // as sent: methods are case-sensitive (RFC 9110, 9.1)
  std::string_view target;  // as sent
  std::string_view path;    // of the target, percent-encoded as sent
  std::string_view query;   // without '?'
  std::string_view host;    // authority: Host, or that of an absolute target
  int version_minor = 1;    // of HTTP/1
  FieldSpan fields;         // in order
  FieldSpan trailers;       // once the body has been read to its end
  std::string_view peer;    // "127.0.0.1:51724", "unix:"
  // Verified by the listener's client_ca_file; null: the client presented none.
  const TlsCertificate* client_certificate = nullptr;
  BodySource* body = nullptr;
  Exchange* exchange = nullptr;
  // What routing and middleware find out.
  struct Context {
    std::string_view route;            // the pattern that matched, "/users/{id}"; empty: none
    std::string_view route_path;       // the path in the form of http/message/path.h
    std::string_view scheme = "http";  // "https" behind TLS, also that of a trusted proxy
    std::string_view client;           // the address of `peer`, or what trusted proxies say
    std::string_view id;               // of this request; empty without that middleware
    std::string_view trace_id;         // in hexadecimal; empty: it is part of no trace
    std::string_view token;            // the name of the bearer token that was accepted
    std::string_view tenant;           // whose request this is; empty: nobody said
    std::span<const PathParam> params;
  };
  Context context;
  // What the views above need; most requests need nothing.
  struct Storage {
    std::vector<PathParam> params;
    std::forward_list<std::string> texts;
  };
  std::unique_ptr<Storage> storage;

  // The value of the route's {name}.
  std::optional<std::string_view> Param(std::string_view name) const;
  void AddParam(std::string_view name, std::string_view value);
  // Stores a text for as long as the request lives, for views in it.
  std::string_view Keep(std::string text);
  // The first field of that name, compared without case.
  std::optional<std::string_view> Get(std::string_view name) const;
  // As BodySource::Read. **Parks.**
  absl::StatusOr<size_t> ReadBody(std::span<char> buffer) { return body->Read(buffer); }
  // The rest of the body; kResourceExhausted if it is longer than `bytes_max`. **Parks.**
  absl::StatusOr<std::string> ReadWholeBody(size_t bytes_max = 8 << 20);
  // From now on the handler's fiber is cancelled when the client goes away: this and every later
  // park returns kCancelled. A client that ends its own stream counts as gone, though it may still
  // read. Requests behind this one stay unread.
  void CancelOnDisconnect() {
    if (exchange != nullptr) exchange->CancelOnDisconnect();
  }
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_REQUEST_H_
