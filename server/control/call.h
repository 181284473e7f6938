// Call: one request to control's API in flight, as the hub sees it.
//
// Whoever handles it fills the response and calls Finish() once; the response and the request must
// not be touched afterwards. Knows nothing of gRPC. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_CALL_H_
#define GROVE_SERVER_CONTROL_CALL_H_

#include <memory>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/tenancy/principal.h"

namespace grove::control {

class Call {
 public:
  virtual ~Call() = default;

  // The first one counts. Any payload of the status becomes a detail of the answer.
  virtual void Finish(const absl::Status& status) = 0;
  // Also when the client went away.
  virtual bool finished() const = 0;
  // absl::InfiniteFuture() if the client set none.
  virtual absl::Time deadline() const = 0;
  // Who asks: "token ci", or "local" where no token is needed.
  virtual std::string_view requested_by() const { return principal().name; }
  // For whom.
  virtual const tenancy::Principal& principal() const { return *tenancy::LocalPrincipal(); }

  // What to undo when the client goes away before Finish(); the call finishes itself after it.
  void set_on_cancel(absl::AnyInvocable<void()> undo) { on_cancel_ = std::move(undo); }

 protected:
  absl::AnyInvocable<void()> on_cancel_;
};

// Shared by the transport and by whatever waits on the hub to finish it.
using CallPtr = std::shared_ptr<Call>;

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CALL_H_
