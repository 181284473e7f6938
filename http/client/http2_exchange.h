// Http2Exchange: one request and its answer on a stream of an HTTP/2 connection.
//
// A body in memory is sent by the connection's writer; one from a source, or that waits for "100
// Continue", by a fiber of its own, a piece at a time, as fast as the server's windows let it.
#ifndef GROVE_HTTP_CLIENT_HTTP2_EXCHANGE_H_
#define GROVE_HTTP_CLIENT_HTTP2_EXCHANGE_H_

#include <memory>
#include <string>
#include <string_view>

#include "http/client/exchange_state.h"
#include "http/client/http2_connection.h"

namespace grove::http {

class Http2Exchange final : public HttpExchange::State {
 public:
  // Uses up a reservation of the connection's.
  Http2Exchange(std::shared_ptr<Http2Connection> connection, std::string url)
      : State({}, std::move(url)), connection_(std::move(connection)) {}
  ~Http2Exchange() override;

  absl::Status Run(HttpRequest& request, const Url& url, const HeadExtras& extras,
                   bool decode) override;
  HttpProtocol protocol() const override { return HttpProtocol::kHttp2; }
  bool refused() const override { return stream_.refused; }
  bool wants_http1() const override { return stream_.wants_http1; }

 private:
  absl::Status Send(HttpRequest& request, const Url& url, const HeadExtras& extras);
  absl::Status SendBody(HttpRequest& request) override;
  absl::Status SendPieces(HttpRequest& request) override;
  absl::StatusOr<std::string_view> NextCoded() override;
  void Finish() override;
  void Drop() override;
  void AbortBody() override;

  const std::shared_ptr<Http2Connection> connection_;
  Http2Stream stream_;
  std::string outgoing_;
  std::string incoming_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP2_EXCHANGE_H_
