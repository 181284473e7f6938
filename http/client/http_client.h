// HttpClient: HTTP requests of fibers, over connections that are kept.
//
//   absl::StatusOr<HttpResponse> page = client.Fetch({.url = "https://example.org/"});
//
// Calls look blocking and park only their fiber; Timeout scopes bound them, Cancel() ends them. One
// client serves all fibers of its hub. Over TLS it speaks HTTP/2 where the server does, and many
// requests share a connection; else HTTP/1.1. It follows redirects, undoes codings of bodies, and
// sends a request again where that is safe: on another connection, if a kept one had been closed,
// and the method is idempotent or the request says that it may be repeated. No cookies but those of
// a jar that the request names, no .netrc, and no proxy but the options'. Certificates are
// verified. Hub thread only; it may outlive the runs of the hub it is used on.
#ifndef GROVE_HTTP_CLIENT_HTTP_CLIENT_H_
#define GROVE_HTTP_CLIENT_HTTP_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "http/client/connection_pool.h"
#include "http/client/dialer.h"
#include "http/client/http2_pool.h"
#include "http/client/http_exchange.h"
#include "http/client/http_request.h"

namespace grove::http {

struct HttpClientOptions {
  DialerOptions dial;
  PoolLimits pool;
  // kPriorKnowledge: http:// URLs are asked over HTTP/2 at once, but for those that go to a proxy
  // as they are.
  Http2Offer http2 = Http2Offer::kByAlpn;
  Http2Limits http2_limits;
  // Else a redirect is an answer like any other.
  bool follow_redirects = true;
  // Beyond: kFailedPrecondition.
  int redirects_max = 10;
  // Of Fetch(), decoded.
  size_t body_max_bytes = size_t{64} << 20;
  // Ask for gzip, deflate, br and zstd, and undo them.
  bool decode = true;
  std::string user_agent = "grove";
};

struct HttpClientStats {
  uint64_t requests = 0;  // those of redirects and repetitions too
  uint64_t redirects = 0;
  uint64_t repeated = 0;
  uint64_t switched = 0;  // connections that went on in another protocol
  PoolStats pool;
  Http2Stats http2;
  DialerStats dial;
};

class HttpClient {
 public:
  // kInvalidArgument: what is wrong with the options.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create(HttpClientOptions options = {});
  // Requires: no request is under way.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The whole answer. Any status is a result; an error means that no whole answer was had:
  // kInvalidArgument: the request is malformed; kPermissionDenied: an address that `allow` refuses,
  // or a redirect to another scheme; kResourceExhausted: the answer is too large;
  // kFailedPrecondition: too many redirects, or a certificate that is not trusted; kUnavailable:
  // the network or the server failed; kDeadlineExceeded, kCancelled. **Parks.**
  absl::StatusOr<HttpResponse> Fetch(HttpRequest request);
  // The answer's head; its body is read from what is returned. Errors as of Fetch(). **Parks.**
  absl::StatusOr<HttpExchange> Open(HttpRequest request);

  void CloseIdle() {
    pool_.CloseIdle();
    http2_.CloseIdle();
  }
  HttpClientStats stats() const;

 private:
  using StatePtr = std::unique_ptr<HttpExchange::State>;

  HttpClient(HttpClientOptions options, std::unique_ptr<HttpDialer> dialer);
  absl::StatusOr<StatePtr> FollowAll(HttpRequest& request);
  absl::StatusOr<StatePtr> Ask(const Url& url, HttpRequest& request, bool same_origin);
  absl::StatusOr<StatePtr> Connect(const Url& url, const HttpRequest& request, Http2Offer offer);
  // What is offered for this one.
  static HttpDialer::Way WayFor(const HttpRequest& request);
  Http2Offer OfferFor(const Url& url, const HttpRequest& request) const;
  // Of a redirect; turns the request into what is asked there.
  absl::StatusOr<Url> NextUrl(const Url& from, int status, const std::string& location,
                              HttpRequest& request);

  const HttpClientOptions options_;
  const std::unique_ptr<HttpDialer> dialer_;
  ConnectionPool pool_;
  Http2Pool http2_;
  HttpClientStats stats_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP_CLIENT_H_
