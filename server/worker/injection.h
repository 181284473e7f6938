// InjectHttpRequest: one request of control's into this worker's own HTTP server.
//
// Over a socket pair, whose other end the server takes like a connection that it has accepted: so
// parser, limits, middleware, routes, handlers and the access log are those of every request, and
// only the network is missing. What comes back is bounded in bytes and in time; what is beyond is
// cut off, as a client that goes away does.
#ifndef GROVE_SERVER_WORKER_INJECTION_H_
#define GROVE_SERVER_WORKER_INJECTION_H_

#include "absl/status/statusor.h"
#include "grove/v1/worker_service.pb.h"
#include "server/http/serving/server.h"

namespace grove::worker {

// `request` is checked, and whole (server/control/inject_calls.h). UNAVAILABLE
// (WORKER_UNREACHABLE): the server drains; RESOURCE_EXHAUSTED (TOO_MANY_INJECTED): it has as many
// connections as it may; DEADLINE_EXCEEDED (NO_ANSWER): no head of an answer in time. **Parks.**
absl::StatusOr<v1::InjectHttpRequestResponse> InjectHttpRequest(
    http::Server& server, const v1::InjectHttpRequestRequest& request);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_INJECTION_H_
