// BodyReader: a connection's BodySource: the body of its current request, whatever delimits it.
//
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_BODY_READER_H_
#define GROVE_SERVER_HTTP_SERVING_BODY_READER_H_

#include <cstdint>

#include "http/message/chunked.h"
#include "http/message/framing.h"
#include "server/http/handler/handler.h"
#include "server/http/serving/options.h"
#include "server/http/serving/wire.h"

namespace grove::http {

class BodyReader final : public BodySource {
 public:
  // Both must outlive it.
  BodyReader(Wire& wire, const ServerOptions& options) : wire_(wire), options_(options) {}

  // For the next request, whose head has been consumed. `trailers` is filled in at the body's end.
  void Start(const Framing& framing, std::span<const Field>& trailers);

  absl::StatusOr<size_t> Read(std::span<char> buffer) override;

  // Reads the rest of the body away, up to `bytes_max` of it; false if the connection can't go on.
  // **Parks.**
  bool Discard(uint64_t bytes_max);

  bool ended() const { return ended_; }
  // The client waits for "100 Continue" and may never send the body.
  bool continue_withheld() const { return continue_due_; }
  // Known bytes to come; 0 if chunked.
  uint64_t known_left() const { return kind_ == BodyKind::kLength ? left_ : 0; }
  // What the client did wrong, as an HTTP status; 0 if nothing.
  int failure_status() const { return failure_status_; }
  bool failed() const { return !failure_.ok(); }
  // Why; what Read() returned. OK if it has not failed.
  const absl::Status& failure() const { return failure_; }
  // "100 Continue" has been sent by the handler.
  void NoteContinue() { continue_due_ = false; }

 private:
  absl::Status Fail(int http_status, absl::Status status);
  // What a failed read of the socket means for the body.
  absl::Status FailRead(const absl::Status& status);
  // Reads from the client, into `direct` or the buffer, as long as it is not too slow.
  absl::StatusOr<size_t> Fill(std::span<char> direct = {});
  uint64_t PaceBytes() const;
  absl::StatusOr<size_t> ReadLength(std::span<char> buffer);
  absl::StatusOr<size_t> ReadChunked(std::span<char> buffer);

  Wire& wire_;
  const ServerOptions& options_;
  BodyKind kind_ = BodyKind::kNone;
  bool ended_ = true;
  bool continue_due_ = false;
  uint64_t left_ = 0;
  uint64_t taken_ = 0;
  // The client's pace: how long we have waited for the bytes since the last mark.
  absl::Duration waited_;
  uint64_t paced_bytes_ = 0;
  int failure_status_ = 0;
  absl::Status failure_;
  std::span<const Field>* trailers_ = nullptr;
  ChunkedDecoder decoder_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_BODY_READER_H_
