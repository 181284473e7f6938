#include "server/link/fiber_row.h"

#include <string>

#include "absl/strings/str_format.h"
#include "proto/well_known_times.h"

namespace grove::link {
namespace {

v1::Fiber::State StateOf(const Fiber& fiber) {
  switch (fiber.state()) {
    case Fiber::State::kRunnable:
      return v1::Fiber::STATE_RUNNABLE;
    case Fiber::State::kRunning:
      return v1::Fiber::STATE_RUNNING;
    case Fiber::State::kParked:
      return v1::Fiber::STATE_PARKED;
    case Fiber::State::kEnded:
      break;
  }
  return v1::Fiber::STATE_UNSPECIFIED;
}

}  // namespace

v1::Fiber DescribeFiber(const Fiber& fiber, MonotonicNanos now) {
  v1::Fiber row;
  row.set_display_name(std::string(fiber.name()));
  row.set_state(StateOf(fiber));
  if (fiber.state() == Fiber::State::kParked) {
    row.set_waiting_for(WaitForText(fiber.waiting_for()));
  }
  proto::SetMicros((now - fiber.spawned_at()) / 1000, row.mutable_age());
  proto::SetMicros(fiber.run_time() / 1000, row.mutable_run_time());
  row.set_switches(static_cast<int64_t>(fiber.switches()));
  row.set_spawn_site(absl::StrFormat("%s:%d", fiber.spawn_site().file_name(),
                                     static_cast<int>(fiber.spawn_site().line())));
  row.set_group(std::string(fiber.group()));
  if (const FiberLabel* label = fiber.label(); label != nullptr) {
    row.set_tenant(label->tenant);
    row.set_task(label->task);
  }
  return row;
}

}  // namespace grove::link
