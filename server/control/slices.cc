#include "server/control/slices.h"

#include <utility>

#include "runtime/hub/fiber.h"

namespace grove::control {

void Slices::Run(Hub& hub, const CallPtr& call, Work work) {
  auto body = [&hub, call, work = std::move(work)]() mutable {
    Slices slices(hub, *call);
    if (!call->finished()) work(slices);
  };
  absl::StatusOr<FiberHandle> fiber = Spawn("call", std::move(body));
  if (!fiber.ok()) call->Finish(fiber.status());
}

bool Slices::Pause() {
  if (hub_.ReadClock() - since_ >= absl::ToInt64Nanoseconds(kSliceMax)) {
    Yield();
    since_ = hub_.ReadClock();
  }
  return !call_.finished();
}

}  // namespace grove::control
