// LogFailures: what an HTTP server could not do, as lines of the log.
#ifndef GROVE_SERVER_HTTP_EMBEDDED_FAILURE_LOG_H_
#define GROVE_SERVER_HTTP_EMBEDDED_FAILURE_LOG_H_

#include "server/http/serving/options.h"

namespace grove::http {

// Sets those callbacks of failed handlers, connections and accepts that are empty; at levels, and
// so seldom, that clients cannot fill the log through them.
void LogFailures(ServerOptions& options);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_EMBEDDED_FAILURE_LOG_H_
