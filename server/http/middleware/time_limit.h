// TimeLimit: bounds the time of a route's handler.
//
// Every park of a handler that takes longer fails with kDeadlineExceeded. Before the first byte of
// the response the client gets 504 (or what else was asked for); after it, a truncated response.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_TIME_LIMIT_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_TIME_LIMIT_H_

#include "absl/time/time.h"
#include "server/http/handler/middleware.h"

namespace grove::http {

// `status`: 504, or 503 for those behind whom no other server stands.
Middleware TimeLimit(absl::Duration limit, int status);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_TIME_LIMIT_H_
