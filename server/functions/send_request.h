// SendRequest: the function http.request. Sends what its JSON says (outgoing_request.h), signed
// with a named secret, within its origin's bounds.
//
// What these do not let out now is no failed attempt: the task goes on later (SuspendFor). An
// answer that was not expected fails the attempt; the next one is when its Retry-After says, or
// there is none if another moment cannot mend it.
#ifndef GROVE_SERVER_FUNCTIONS_SEND_REQUEST_H_
#define GROVE_SERVER_FUNCTIONS_SEND_REQUEST_H_

#include "absl/status/statusor.h"
#include "server/function.h"

namespace grove::functions {

// {"status","url","headers":[[n,v],…],"body"|"body_base64","redirects":[url,…],"time_ms"}.
absl::StatusOr<Output> SendRequest(TaskContext& context);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_SEND_REQUEST_H_
