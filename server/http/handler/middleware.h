// Middleware: what stands around a Handler: looks at the request, answers itself or goes on.
//
// A chain is composed once, when routes are set up; a route without one pays nothing.
// A middleware may change the request before it calls `next`, must call it at most once, and may
// park. What it lends the request (views, a body, a sink) it takes back before it returns.
#ifndef GROVE_SERVER_HTTP_HANDLER_MIDDLEWARE_H_
#define GROVE_SERVER_HTTP_HANDLER_MIDDLEWARE_H_

#include <functional>
#include <span>

#include "absl/status/status.h"
#include "server/http/handler/handler.h"

namespace grove::http {

using Middleware = std::function<absl::Status(Request&, Response&, const Handler& next)>;

// The first of `chain` is outermost. `handler` itself if there is none.
Handler Compose(std::span<const Middleware> chain, Handler handler);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_MIDDLEWARE_H_
