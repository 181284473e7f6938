// Request, Response and Handler: what HTTP code on a fiber sees, whatever the wire form.
//
// Names and values are views into the connection's buffers: valid until the handler returns.
// A handler may read the body while it writes the response. Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_H_
#define GROVE_SERVER_HTTP_HANDLER_H_

#include <forward_list>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tls/certificate.h"
#include "server/http/transport.h"

namespace grove::http {

struct Field {
  std::string_view name;
  std::string_view value;
};

// Where a request's body comes from. The seam between handlers and wire forms.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Bytes read, 0 at the end. kInvalidArgument: malformed; kResourceExhausted: over the limit;
  // kDeadlineExceeded: the client was too slow; kUnavailable: the client is gone. **Parks.**
  virtual absl::StatusOr<size_t> Read(std::span<char> buffer) = 0;
};

// Response fields and trailers, in order.
using Fields = std::span<const std::pair<std::string, std::string>>;

// What became of a response.
struct ResponseOutcome {
  int status = 0;           // of the head that was sent; 0: none was
  uint64_t body_bytes = 0;  // handed over, without framing
  // Whole, and taken over by the kernel. Otherwise the client went away or saw it cut short.
  bool complete = false;
};

// Runs after a response, whatever became of it. What it throws is logged as the handler's failure.
using PostHook = std::function<void(const ResponseOutcome&)>;

// Where a response goes. One that wraps another (compression, counting) passes on SendInterim and
// Flush too.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  // Sends the head. `body_bytes`: the body's exact length if known.
  virtual absl::Status Begin(int status, Fields fields, std::optional<size_t> body_bytes) = 0;
  virtual absl::Status Write(std::string_view bytes) = 0;
  virtual absl::Status Finish(Fields trailers) = 0;
  // A whole response at once. By default Begin, Write and Finish; a wire form does better.
  virtual absl::Status Send(int status, Fields fields, std::string_view content_type,
                            std::string_view body);
  // Switches the connection to `protocol`. By default kUnimplemented.
  virtual absl::StatusOr<Transport*> Switch(std::string_view protocol, Fields fields);
  // As Write, with `length` bytes of `file` from `offset` on. By default reads and Writes them in
  // pieces; a wire form that can spares the copy.
  virtual absl::Status WriteFile(int file, uint64_t offset, uint64_t length);
  // An interim response (1xx). By default dropped, as a recipient may.
  virtual absl::Status SendInterim(int /*status*/, Fields /*fields*/) { return absl::OkStatus(); }
  // Hands what is gathered to the kernel. By default there is nothing.
  virtual absl::Status Flush() { return absl::OkStatus(); }
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
  std::string_view method;          // as sent: methods are case-sensitive (RFC 9110, 9.1)
  std::string_view target;          // as sent
  std::string_view path;            // of the target, percent-encoded as sent
  std::string_view query;           // without '?'
  std::string_view host;            // authority: Host, or that of an absolute target
  int version_minor = 1;            // of HTTP/1
  std::span<const Field> fields;    // in order
  std::span<const Field> trailers;  // once the body has been read to its end
  std::string_view peer;            // "127.0.0.1:51724", "unix:"
  // Verified by the listener's client_ca_file; null: the client presented none.
  const TlsCertificate* client_certificate = nullptr;
  BodySource* body = nullptr;
  Exchange* exchange = nullptr;
  // What routing and middleware find out.
  std::string_view route;            // the pattern that matched, "/users/{id}"; empty: none
  std::string_view route_path;       // the path in the form of server/http/path.h
  std::string_view scheme = "http";  // "https" behind TLS, also that of a trusted proxy
  std::string_view client;           // the address of `peer`, or what trusted proxies say
  std::string_view id;               // of this request; empty without that middleware
  std::string_view token;            // the name of the bearer token that was accepted
  std::string_view tenant;           // whose request this is; empty: nobody said
  std::span<const PathParam> params;
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

class Response {
 public:
  explicit Response(ResponseSink& sink) : sink_(&sink) {}

  // Before the first Write. 200 if not set.
  void set_status(int status) { status_ = status; }
  int status() const { return status_; }
  // Names and values are checked: control characters are a programming error answered with 500.
  // Content-Length declares the length of a streamed body; "Connection: close" ends the connection
  // after this response. Upgrade says what else could be spoken (with 426); its option in
  // Connection comes by itself. Other framing fields are the wire form's own: adding one is an
  // error too.
  void Add(std::string_view name, std::string_view value);

  // As Add, for middleware: the field also stands on the answer to a handler that fails.
  void AddAlways(std::string_view name, std::string_view value);
  Fields always() const { return Fields(fields_).first(always_); }
  // Where it goes, and another place instead: a filter in front of the old one (gzip). Whoever sets
  // one does so before the head, finishes the response and puts the old one back.
  ResponseSink& sink() { return *sink_; }
  void set_sink(ResponseSink& sink) { sink_ = &sink; }

  // A piece of a streamed body; the first one sends the head. **Parks** while the client doesn't
  // take it. kUnavailable: the client is gone.
  absl::Status Write(std::string_view bytes);
  // As Write, with `length` bytes of the open file `file` from `offset` on; its position stays.
  // Without a copy where the wire form can (sendfile(2)). What is not in the page cache is read
  // from the disk by the hub's thread. kOutOfRange: the file ends before. **Parks.**
  absl::Status WriteFile(int file, uint64_t offset, uint64_t length);
  // Hands to the kernel what was written; begins the response if need be. Seldom needed: pieces are
  // gathered, but never past 16 KiB, the handler's next park, or its end. **Parks.**
  absl::Status Flush();
  // An interim response before the final one: 100, or 102 to 199, such as 103 Early Hints (RFC
  // 8297). Left out where the client knows none (HTTP/1.0). **Parks.**
  absl::Status SendInterim(int status, Fields fields);
  // The whole answer at once, with Content-Length. No Content-Type if that is empty.
  absl::Status Send(int status, std::string_view content_type, std::string_view body);
  // Answers that the connection speaks `protocol` from now on (101 in HTTP/1.1), with the fields
  // added so far. Sends nothing on failure. kUnavailable: the server drains; kFailedPrecondition:
  // a body is left to be read, or the request's version can't switch.
  absl::StatusOr<Transport*> SwitchProtocols(std::string_view protocol);
  // As Send, with a body out of `file`; see WriteFile. **Parks.**
  absl::Status SendFile(int status, std::string_view content_type, int file, uint64_t offset,
                        uint64_t length);
  // Has `hook` run after the response was sent, and also when the client went away or the handler
  // failed; in the order added. The request's views are still valid. It may park, which delays the
  // connection's next request; on a cancelled fiber its parks fail.
  void AddPostHook(PostHook hook) { post_hooks_.push_back(std::move(hook)); }
  // For the server.
  std::vector<PostHook> TakePostHooks() { return std::exchange(post_hooks_, {}); }
  // After the last Write, and in a wire form that has trailers.
  void AddTrailer(std::string_view name, std::string_view value);
  // Ends the response; called by the server if the handler did not.
  absl::Status Finish();

  bool begun() const { return begun_; }
  bool finished() const { return finished_; }
  uint64_t body_bytes() const { return body_bytes_; }

 private:
  absl::Status Check() const;
  absl::Status Begin(std::optional<size_t> body_bytes);

  ResponseSink* sink_;
  int status_ = 200;
  bool malformed_ = false;
  bool begun_ = false;
  bool finished_ = false;
  uint64_t body_bytes_ = 0;
  size_t always_ = 0;  // so many of the first fields
  std::vector<std::pair<std::string, std::string>> fields_;
  std::vector<std::pair<std::string, std::string>> trailers_;
  std::vector<PostHook> post_hooks_;
};

// Runs on a fiber. An error Status, or an exception, before the first byte becomes a 4xx or 5xx
// (StatusToHttp); after it, the connection is closed short, so that the client sees the truncation.
using Handler = std::function<absl::Status(Request&, Response&)>;

// Compared without case, as field names and tokens are.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

// The one table from canonical codes to HTTP: kInvalidArgument 400, kNotFound 404, kUnavailable 503
// …
int StatusToHttp(absl::StatusCode code);
std::string_view ReasonPhrase(int status);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_H_
