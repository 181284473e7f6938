// Slices: long work on a call, cut so that it never holds the hub for long.
//
// The work runs on a fiber of its own and calls Pause() between its steps; every kSliceMax it lets
// the other fibers run.
#ifndef GROVE_SERVER_CONTROL_SLICES_H_
#define GROVE_SERVER_CONTROL_SLICES_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/hub.h"
#include "server/control/call.h"

namespace grove::control {

// Of the hub's time in one piece.
inline constexpr absl::Duration kSliceMax = absl::Milliseconds(1);

class Slices {
 public:
  using Work = absl::AnyInvocable<void(Slices& slices)>;

  // Runs `work` for the call, soon. Where no fiber is to be had, the call is finished with that.
  static void Run(Hub& hub, const CallPtr& call, Work work);

  // False once the call is finished (the client went away): its request and response must not be
  // touched any more, and the work should end. **Parks.**
  bool Pause();

 private:
  Slices(Hub& hub, const Call& call) : hub_(hub), call_(call), since_(hub.ReadClock()) {}

  Hub& hub_;
  const Call& call_;
  MonotonicNanos since_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SLICES_H_
