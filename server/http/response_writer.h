// ResponseWriter: a connection's ResponseSink: heads and bodies in the form of HTTP/1.1.
//
// It decides how a body is delimited (RFC 9112, 6.3): by Content-Length where the length is known,
// else chunked, else (HTTP/1.0) by the end of the connection. Small pieces are gathered; what
// waits is sent as soon as the fiber parks. Hub thread only.
#ifndef GROVE_SERVER_HTTP_RESPONSE_WRITER_H_
#define GROVE_SERVER_HTTP_RESPONSE_WRITER_H_

#include <cstdint>
#include <string>

#include "server/http/handler.h"
#include "server/http/options.h"
#include "server/http/output.h"
#include "server/http/standing_fields.h"

namespace grove::http {

class ResponseWriter final : public ResponseSink {
 public:
  // Asked when a head is sent: whether the connection can go on after this response.
  class KeepAlive {
   public:
    virtual ~KeepAlive() = default;
    virtual bool MayKeepAlive() const = 0;
  };

  // Asked when a response switches protocols: the connection's bytes, or why it can't be.
  class TakeOver {
   public:
    virtual ~TakeOver() = default;
    virtual absl::StatusOr<Transport*> HandOver() = 0;
  };

  // All must outlive it.
  ResponseWriter(Output& output, StandingFields& standing, ServerStats& stats,
                 const KeepAlive& connection, TakeOver& take_over)
      : output_(output),
        standing_(standing),
        stats_(stats),
        connection_(connection),
        take_over_(take_over) {}

  // For the next request.
  void Start(bool head_request, int version_minor);

  absl::Status Begin(int status, Fields fields, std::optional<size_t> body_bytes) override;
  absl::Status Write(std::string_view bytes) override;
  absl::Status Finish(Fields trailers) override;
  absl::Status Send(int status, Fields fields, std::string_view content_type,
                    std::string_view body) override;
  absl::StatusOr<Transport*> Switch(std::string_view protocol, Fields fields) override;

  // A head was sent.
  bool begun() const { return begun_; }
  // The response is whole as far as its recipient can tell.
  bool complete() const { return complete_; }
  // The head promised that the connection goes on.
  bool keeps_alive() const { return keep_alive_; }
  // Only the end of the connection ends the body: cutting it short must look like a failure.
  bool close_delimited() const { return delimiter_ == Delimiter::kClose; }

 private:
  enum class Delimiter : uint8_t { kNone, kLength, kChunked, kClose };
  // What the handler's fields say about framing and standing fields.
  struct Said {
    std::optional<uint64_t> content_length;
    bool close = false;
    bool date = false;
    bool server = false;
    size_t bytes = 0;
  };

  static absl::StatusOr<Said> Read(Fields fields);
  void Decide(int status, const Said& said, std::optional<uint64_t> body_bytes);
  void WriteHead(int status, Fields fields, const Said& said, std::string_view content_type,
                 std::optional<uint64_t> body_bytes);
  absl::Status WriteChunk(std::string_view bytes);

  Output& output_;
  StandingFields& standing_;
  ServerStats& stats_;
  const KeepAlive& connection_;
  TakeOver& take_over_;

  bool head_request_ = false;
  int version_minor_ = 1;
  bool begun_ = false;
  bool complete_ = false;
  bool keep_alive_ = true;
  bool bodiless_ = false;  // whatever the fields say: HEAD, 204, 304
  Delimiter delimiter_ = Delimiter::kNone;
  uint64_t left_ = 0;  // of a body with a length
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_RESPONSE_WRITER_H_
