// Response: what a handler answers with, whatever the wire form.
//
// A handler may read the request's body while it writes the response. Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_RESPONSE_H_
#define GROVE_SERVER_HTTP_HANDLER_RESPONSE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/message/field.h"
#include "http/transport/transport.h"
#include "server/http/handler/response_sink.h"

namespace grove::http {

// What became of a response.
struct ResponseOutcome {
  int status = 0;           // of the head that was sent; 0: none was
  uint64_t body_bytes = 0;  // handed over, without framing
  // Whole, and taken over by the kernel. Otherwise the client went away or saw it cut short.
  bool complete = false;
};

// Runs after a response, whatever became of it. What it throws is logged as the handler's failure.
using PostHook = std::function<void(const ResponseOutcome&)>;

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
  FieldSpan always() const { return fields_.span().first(always_); }
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
  absl::Status SendInterim(int status, FieldSpan fields);
  // The whole answer at once, with Content-Length. No Content-Type if that is empty.
  absl::Status Send(int status, std::string_view content_type, std::string_view body);
  // 304, with the fields added so far, for a representation of that type and length: these are not
  // sent, but what else the 200 would say goes by them (gzip: Vary, ETag; RFC 9110, 15.4.5).
  absl::Status SendNotModified(std::string_view content_type, uint64_t body_bytes);
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
  FieldList fields_;
  FieldList trailers_;
  std::vector<PostHook> post_hooks_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_RESPONSE_H_
