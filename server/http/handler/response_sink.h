// ResponseSink: where a response goes, whatever the wire form.
//
// The seam between handlers and wire forms, and what a filter such as compression stands in.
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_RESPONSE_SINK_H_
#define GROVE_SERVER_HTTP_HANDLER_RESPONSE_SINK_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/message/field.h"
#include "http/transport/transport.h"

namespace grove::http {

// Where a response goes. One that wraps another (compression, counting) passes on Describe,
// SendInterim and Flush too.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  // Sends the head. `body_bytes`: the body's exact length if known.
  virtual absl::Status Begin(int status, FieldSpan fields, std::optional<size_t> body_bytes) = 0;
  virtual absl::Status Write(std::string_view bytes) = 0;
  virtual absl::Status Finish(FieldSpan trailers) = 0;
  // A whole response at once. By default Begin, Write and Finish; a wire form does better.
  virtual absl::Status Send(int status, FieldSpan fields, std::string_view content_type,
                            std::string_view body);
  // Switches the connection to `protocol`. By default kUnimplemented.
  virtual absl::StatusOr<Transport*> Switch(std::string_view protocol, FieldSpan fields);
  // As Write, with `length` bytes of `file` from `offset` on. By default reads and Writes them in
  // pieces; a wire form that can spares the copy.
  virtual absl::Status WriteFile(int file, uint64_t offset, uint64_t length);
  // What the response would be that a 304 stands for, before that is sent: for filters whose fields
  // go by it. By default nobody asks.
  virtual void Describe(std::string_view /*content_type*/, uint64_t /*body_bytes*/) {}
  // An interim response (1xx). By default dropped, as a recipient may.
  virtual absl::Status SendInterim(int /*status*/, FieldSpan /*fields*/) {
    return absl::OkStatus();
  }
  // Hands what is gathered to the kernel. By default there is nothing.
  virtual absl::Status Flush() { return absl::OkStatus(); }
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_RESPONSE_SINK_H_
