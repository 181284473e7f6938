// Handler: HTTP code on a fiber, whatever the wire form.
//
// Names and values of the request are views into the connection's buffers: valid until the handler
// returns. A handler may read the body while it writes the response. Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_HANDLER_H_
#define GROVE_SERVER_HTTP_HANDLER_HANDLER_H_

#include <functional>

#include "absl/status/status.h"
#include "server/http/handler/request.h"
#include "server/http/handler/response.h"

namespace grove::http {

// Runs on a fiber. An error Status, or an exception, before the first byte becomes a 4xx or 5xx
// (StatusToHttp); after it, the connection is closed short, so that the client sees the truncation.
using Handler = std::function<absl::Status(Request&, Response&)>;

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_HANDLER_H_
