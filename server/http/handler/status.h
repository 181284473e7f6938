// StatusToHttp: the one table from canonical codes to HTTP, and the reason phrases.
#ifndef GROVE_SERVER_HTTP_HANDLER_STATUS_H_
#define GROVE_SERVER_HTTP_HANDLER_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace grove::http {

// The one table from canonical codes to HTTP: kInvalidArgument 400, kNotFound 404, kUnavailable 503
// …
int StatusToHttp(absl::StatusCode code);
std::string_view ReasonPhrase(int status);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_STATUS_H_
