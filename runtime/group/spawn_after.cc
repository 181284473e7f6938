#include "runtime/group/spawn_after.h"

#include "runtime/hub/hub.h"

namespace grove {

bool DelayedFiber::CancelBeforeStart() {
  if (*started_) return false;
  fiber_.Cancel();
  return true;
}

absl::StatusOr<DelayedFiber> SpawnAfter(absl::Duration after, const SpawnOptions& options,
                                        absl::AnyInvocable<absl::Status()> body,
                                        SourceLocation site) {
  auto started = std::make_shared<bool>(false);
  const MonotonicNanos start_at = DeadlineAfter(Hub::Current()->now(), after);
  absl::StatusOr<FiberHandle> fiber = Spawn(
      options,
      [started, start_at, body = std::move(body)]() mutable -> absl::Status {
        Hub& hub = *Hub::Current();
        if (start_at > hub.now()) {
          absl::Status slept = Sleep(absl::Nanoseconds(start_at - hub.now()));
          if (!slept.ok()) return slept;
          // Cancelled between the alarm and this turn.
          const Wake wake = hub.interruption();
          if (wake != Wake::kReady) return WakeStatus(wake, "delayed start");
        }
        *started = true;
        return body();
      },
      site);
  if (!fiber.ok()) return fiber.status();
  return DelayedFiber(*std::move(fiber), std::move(started));
}

absl::StatusOr<LocalDelayedFiber> SpawnAfterLocal(absl::Duration after, const SpawnOptions& options,
                                                  absl::AnyInvocable<absl::Status()> body,
                                                  SourceLocation site) {
  absl::StatusOr<DelayedFiber> fiber = SpawnAfter(after, options, std::move(body), site);
  if (!fiber.ok()) return fiber.status();
  return LocalDelayedFiber(*std::move(fiber));
}

}  // namespace grove
