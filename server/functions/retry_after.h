// RetryAfterIn: how long an answer's Retry-After asks to wait (RFC 9110, 10.2.3).
//
// Pure; any thread.
#ifndef GROVE_SERVER_FUNCTIONS_RETRY_AFTER_H_
#define GROVE_SERVER_FUNCTIONS_RETRY_AFTER_H_

#include "absl/time/time.h"
#include "server/functions/fetch.h"

namespace grove::functions {

// Seconds, or a date; zero: there is none, it is malformed, or over.
absl::Duration RetryAfterIn(const FetchResult& answer, absl::Time now);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_RETRY_AFTER_H_
