// HttpExchange: a request's answer, whose body is read piece by piece.
//
// Its connection goes back to the pool once the body has been read to its end; one that dies before
// closes it, or resets its stream over HTTP/2. What a fiber does not read the server has to keep,
// but for a window. Must not outlive its HttpClient. Hub thread only, one fiber at a time.
#ifndef GROVE_HTTP_CLIENT_HTTP_EXCHANGE_H_
#define GROVE_HTTP_CLIENT_HTTP_EXCHANGE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "http/client/http_request.h"
#include "http/client/switched_connection.h"

namespace grove::http {

class HttpExchange {
 public:
  class State;

  explicit HttpExchange(std::unique_ptr<State> state);
  HttpExchange(HttpExchange&&) noexcept;
  HttpExchange& operator=(HttpExchange&&) noexcept;
  // Ends the request's body too, if it is still being sent. **Parks** until that has ended.
  ~HttpExchange();

  int status() const;
  HttpProtocol protocol() const;
  // After redirects, without credentials.
  const std::string& url() const;
  // Without Content-Encoding and Content-Length where the body is decoded on the way.
  const HttpFields& fields() const;
  // Of the first field of that name, whatever the case; empty if there is none.
  std::string_view Field(std::string_view name) const;

  // The next bytes of the body, which stand until the next call; empty at its end. kUnavailable:
  // the connection ended before the body did. After an error there is nothing more. **Parks.**
  absl::StatusOr<std::string_view> Next();
  // All of it that was not read yet. kResourceExhausted: it is larger than `bytes_max`. **Parks.**
  absl::StatusOr<std::string> ReadAll(size_t bytes_max);
  // After the end of a body that is chunked, or came over HTTP/2.
  const HttpFields& trailers() const;
  // After a 101, which the request's `upgrade` asked for: what was its connection. It counts as
  // open in the pool until it dies, and must not outlive the HttpClient. kFailedPrecondition: the
  // server did not switch, or it was taken already.
  absl::StatusOr<std::unique_ptr<SwitchedConnection>> TakeConnection();

 private:
  friend class HttpClient;

  std::unique_ptr<State> state_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP_EXCHANGE_H_
