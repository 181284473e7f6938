// BodyLimit: answers 413 to a request body that is too long for a route.
//
// By Content-Length before the handler runs; a chunked body when it has come that far. The server's
// own limit holds besides.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_BODY_LIMIT_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_BODY_LIMIT_H_

#include <cstdint>

#include "server/http/handler/middleware.h"

namespace grove::http {

Middleware BodyLimit(uint64_t bytes_max);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_BODY_LIMIT_H_
