// ResponseWriter: a connection's ResponseSink: heads and bodies in the form of HTTP/1.1.
//
// It decides how a body is delimited (RFC 9112, 6.3): by Content-Length where the length is known,
// else chunked, else (HTTP/1.0) by the end of the connection.
//
// Small pieces are gathered, and those of a chunked body joined into one chunk. The one rule for
// when they leave: at 16 KiB, by Flush(), and otherwise as soon as the fiber parks or the response
// ends (with those of the rest of a pipelined batch). So a handler that waits for something never
// withholds what it has written, and needs no minimum chunk size against one that doesn't wait.
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_RESPONSE_WRITER_H_
#define GROVE_SERVER_HTTP_SERVING_RESPONSE_WRITER_H_

#include <cstdint>
#include <string>

#include "server/http/handler/handler.h"
#include "server/http/serving/output.h"
#include "server/http/serving/standing_fields.h"
#include "server/http/serving/stats.h"

namespace grove::http {

class ResponseWriter final : public ResponseSink {
 public:
  // The connection, as far as a response concerns it. A seam: a test stands for it without a
  // socket.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Asked when a head is sent: whether the connection can go on after this response.
    virtual bool MayKeepAlive() const = 0;
    // The client has been told to send its body.
    virtual void NoteContinue() = 0;
    // A response switches protocols: the connection's bytes, or why it can't be.
    virtual absl::StatusOr<Transport*> HandOver() = 0;
  };

  // All must outlive it.
  ResponseWriter(Output& output, StandingFields& standing, ServerStats& stats, Owner& owner)
      : output_(output), standing_(standing), stats_(stats), owner_(owner) {}

  // What a request says of the form of its answer.
  struct Asked {
    bool head = false;  // by HEAD: no body, whatever the fields say
    int version_minor = 1;
  };

  // For the next request.
  void Start(const Asked& asked);

  absl::Status Begin(int status, FieldSpan fields, std::optional<size_t> body_bytes) override;
  absl::Status Write(std::string_view bytes) override;
  absl::Status Finish(FieldSpan trailers) override;
  absl::Status Send(int status, FieldSpan fields, std::string_view content_type,
                    std::string_view body) override;
  absl::StatusOr<Transport*> Switch(std::string_view protocol, FieldSpan fields) override;
  absl::Status WriteFile(int file, uint64_t offset, uint64_t length) override;
  absl::Status SendInterim(int status, FieldSpan fields) override;
  absl::Status Flush() override { return output_.Flush(); }

  // A head was sent.
  bool begun() const { return begun_; }
  // The response is whole as far as its recipient can tell.
  bool complete() const { return complete_; }
  // Of the head that was sent; 0 if none was.
  int status() const { return status_; }
  // Of the body, without framing; once sending has failed, no more than was sent.
  uint64_t body_bytes() const;
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
    bool upgrade = false;
    bool date = false;
    bool server = false;
    size_t bytes = 0;
  };

  static absl::Status Read(FieldSpan fields, Said& said);
  // By reference, as Said: passed on in registers they would be read in other sizes than they were
  // written, for which the processor waits.
  void Decide(int status, const Said& said, const std::optional<uint64_t>& body_bytes);
  void WriteHead(int status, FieldSpan fields, const Said& said, std::string_view content_type,
                 const std::optional<uint64_t>& body_bytes);
  absl::Status TakeFromLength(uint64_t bytes);
  void PutChunkHead(uint64_t bytes);
  bool ExtendChunk(std::string_view bytes);
  absl::Status WriteChunk(std::string_view bytes);

  Output& output_;
  StandingFields& standing_;
  ServerStats& stats_;
  Owner& owner_;

  bool head_request_ = false;
  int version_minor_ = 1;
  bool begun_ = false;
  bool complete_ = false;
  bool keep_alive_ = true;
  bool bodiless_ = false;  // whatever the fields say: HEAD, 204, 205, 304
  Delimiter delimiter_ = Delimiter::kNone;
  uint64_t left_ = 0;  // of a body with a length
  int status_ = 0;
  uint64_t body_bytes_ = 0;
  uint64_t body_at_ = 0;  // where it begins, as Output::position()
  // The chunk at the end of what is pending: it can grow while that has not been taken.
  struct LastChunk {
    uint64_t batch = 0;
    size_t at = 0;     // where its size stands
    size_t bytes = 0;  // its data; 0: there is none
    size_t end = 0;
  } last_chunk_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_RESPONSE_WRITER_H_
