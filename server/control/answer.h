// Answer: ends a call from a fiber of its own, where its work may park.
#ifndef GROVE_SERVER_CONTROL_ANSWER_H_
#define GROVE_SERVER_CONTROL_ANSWER_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "server/control/call.h"

namespace grove::control {

// Runs `body` on a fiber called `name` and ends the call with what it returns. A client that goes
// away finishes the call under the fiber: `body` works on copies, and only then is the response
// touched.
template <typename Response, typename Body>
void Answer(const char* name, const CallPtr& call, Response& response, Body body) {
  absl::StatusOr<FiberHandle> fiber =
      Spawn(name, [call, &response, body = std::move(body)]() mutable -> void {
        absl::StatusOr<Response> answer = body();
        const absl::Status status = answer.status();
        if (!call->finished() && answer.ok()) response = *std::move(answer);
        call->Finish(status);
      });
  if (!fiber.ok()) call->Finish(fiber.status());
}

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_ANSWER_H_
