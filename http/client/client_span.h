// ClientSpan: the span of a request that is sent once, and the fields that tell its server of it.
//
// From the wait for a connection to the answer's head. A request that is sent again, or elsewhere
// by a redirect, has another one. Without a trace of the running fiber it is nothing; without a
// tracer of it the context is passed on as it came.
#ifndef GROVE_HTTP_CLIENT_CLIENT_SPAN_H_
#define GROVE_HTTP_CLIENT_CLIENT_SPAN_H_

#include <string>

#include "absl/status/status.h"
#include "http/client/http_request.h"
#include "http/client/request_head.h"
#include "http/client/url.h"
#include "runtime/trace/span.h"

namespace grove::http {

class ClientSpan {
 public:
  // `resends`: how often it was sent to this URL before.
  ClientSpan(const HttpRequest& request, const Url& url, int resends);

  // The views stand as long as this does. None where the request has a traceparent of its own.
  void FillHead(HeadExtras& extras) const;
  // Notes an error, and gives it back; OK: nothing.
  absl::Status Fail(absl::Status status);
  void TakeAnswer(int status, HttpProtocol protocol);

 private:
  Span span_{SpanKind::kClient};
  // Empty: nothing is to be said.
  std::string traceparent_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_CLIENT_SPAN_H_
