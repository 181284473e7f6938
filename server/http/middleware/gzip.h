// Gzip: compresses responses for clients that take it (RFC 9110, 8.4.1.3).
//
// A response is left as it is if it is short, of another type, encoded already, a part (206,
// Content-Range) or marked no-transform. Each piece of a streamed body is flushed: what the handler
// has written, the client can decode. HEAD has the fields of GET, and a 304 says of what it stands
// for what the 200 would (Response::SendNotModified); of one without a description only Vary, and
// the tag of the compressed form if the client has named that.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_GZIP_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_GZIP_H_

#include <string>
#include <vector>

#include "server/http/handler/middleware.h"

namespace grove::http {

struct GzipOptions {
  // A shorter body grows, or stays within the packet that it needs anyway.
  size_t bytes_min = 1024;
  // "text/html" or "text/*".
  std::vector<std::string> types = {"text/*", "application/json", "application/javascript",
                                    "application/xml", "image/svg+xml"};
  int level = 5;  // 1, fast, to 9, small
};

Middleware Gzip(GzipOptions options);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_GZIP_H_
