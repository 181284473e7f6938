// FetchAtGate: a request of a task's that goes out as the bounds of its origin let it.
//
// What they do not let out waits nowhere: the attempt is suspended, and asks again then. What came
// of a request is told to the gate. Hub thread only.
#ifndef GROVE_SERVER_FUNCTIONS_GATED_FETCH_H_
#define GROVE_SERVER_FUNCTIONS_GATED_FETCH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/function.h"
#include "server/functions/fetch.h"

namespace grove::functions {

struct GatedAnswer {
  // As of FetchClient::Fetch(); SuspendFor() if a bound of the origin, or of one that a redirect
  // leads to, has put it off.
  absl::StatusOr<FetchResult> result;
  std::vector<std::string> redirects;
  // From its turn on.
  absl::Duration time;
};

// Takes request.on_redirect and on_begin for itself. **Parks.**
GatedAnswer FetchAtGate(TaskContext& context, FetchRequest request);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_GATED_FETCH_H_
