// HttpExchange::State: one request and its answer on one connection of HTTP/1.1; Http2Exchange is
// one on a stream of HTTP/2, with the same way to read bodies.
//
// Sends the request, reads the answer's head and then its body. A body of some size, or from a
// source, is sent by a fiber of its own, so that an answer that comes before its end is seen.
#ifndef GROVE_HTTP_CLIENT_EXCHANGE_STATE_H_
#define GROVE_HTTP_CLIENT_EXCHANGE_STATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/client/connection_pool.h"
#include "http/client/content_decoder.h"
#include "http/client/http_exchange.h"
#include "http/client/http_request.h"
#include "http/client/request_head.h"
#include "http/client/response_parser.h"
#include "http/message/chunked.h"
#include "runtime/hub/fiber.h"
#include "runtime/sync/event.h"

namespace grove::http {

// RFC 9110, 10.1.1: a client need not wait for ever.
inline constexpr absl::Duration kContinueWait = absl::Seconds(1);

class HttpExchange::State {
 public:
  State(ConnectionPool::Lease lease, std::string url)
      : lease_(std::move(lease)), url_(std::move(url)) {}
  virtual ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // `request` must outlive it. `decode`: undo the body's coding. **Parks** until the answer's head
  // is there.
  virtual absl::Status Run(HttpRequest& request, const Url& url, const HeadExtras& extras,
                           bool decode);
  virtual HttpProtocol protocol() const { return HttpProtocol::kHttp1; }
  // After a Run() that failed: the server says that it has not acted upon it.
  virtual bool refused() const { return false; }
  // The same, and it answers over HTTP/1.1 alone.
  virtual bool wants_http1() const { return false; }
  // After a Run() that failed: nothing of an answer has come.
  bool unanswered() const { return !received_; }
  // On a connection that has served before.
  bool was_reused() const { return was_reused_; }

  // The answer is a 101 that switches to what the request asked for.
  bool switched() const { return framing_.body == ResponseBody::kTunnel; }
  // Requires: switched(), and not yet taken.
  ConnectionPool::Lease TakeLease() { return std::move(lease_); }

  int status() const { return status_; }
  const std::string& url() const { return url_; }
  const HttpFields& fields() const { return fields_; }
  const HttpFields& trailers() const { return trailers_; }

  absl::StatusOr<std::string_view> Next();
  absl::StatusOr<std::string> ReadAll(size_t bytes_max);
  // Reads what is left if that is little, so that the connection can serve again. **Parks.**
  void Discard();
  // The request outlives the exchange with it.
  void Keep(std::unique_ptr<HttpRequest> request) { kept_request_ = std::move(request); }

 protected:
  absl::Status SpawnSender(HttpRequest& request);
  virtual absl::Status SendBody(HttpRequest& request);
  virtual absl::Status SendPieces(HttpRequest& request);
  // The body's source has failed: wakes who reads.
  virtual void AbortBody();
  // Of the body's source. `left`: of source_length.
  absl::StatusOr<std::string> NextPiece(HttpRequest& request, uint64_t& left);
  void TakeHead(const ResponseHead& head, bool decode);
  // As it comes over the wire, without its framing; empty at its end.
  virtual absl::StatusOr<std::string_view> NextCoded();
  // The body has been read: the connection goes back, or away.
  virtual void Finish();
  // The connection, or its stream, is of no use any more.
  virtual void Drop() { lease_.Drop(); }
  absl::Status Fail(absl::Status why);
  void EndSending();

  ResponseFraming framing_;
  HttpFields trailers_;
  bool received_ = false;
  bool was_reused_ = false;
  bool ended_ = false;
  bool sent_ = true;
  absl::Status source_failure_;

 private:
  absl::Status Send(HttpRequest& request, const std::string& head);
  absl::Status ReadHead(std::string_view method);
  absl::StatusOr<std::string_view> NextChunk();
  absl::StatusOr<std::string_view> NextDecoded();
  absl::StatusOr<std::string> ReadLength(size_t bytes_max);
  void TakeTrailers();

  ConnectionPool::Lease lease_;
  std::string url_;
  ResponseParser parser_;
  uint64_t left_ = 0;
  // Of the connection's bytes, in the view that was given last.
  size_t unconsumed_ = 0;
  ChunkedDecoder chunked_;
  std::unique_ptr<ContentDecoder> decoder_;
  std::string_view coded_;  // what the decoder has not taken yet
  std::string decoded_;
  int status_ = 0;
  HttpFields fields_;
  absl::Status failure_;

  std::unique_ptr<HttpRequest> kept_request_;
  FiberHandle sender_;
  Event may_send_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_EXCHANGE_STATE_H_
