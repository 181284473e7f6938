#include "server/worker/periodic.h"

#include <utility>

#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "server/log.h"

namespace grove::worker {

MonotonicNanos NextDue(MonotonicNanos due, MonotonicNanos now, absl::Duration interval) {
  if (due > now) return due;
  const int64_t step = absl::ToInt64Nanoseconds(interval);
  return due + ((now - due) / step + 1) * step;
}

absl::Status PeriodicWork::Start() {
  for (const Application::Periodic& entry : entries_) {
    if (entry.scope == Application::PeriodicScope::kOneWorker && services_.worker != 0) continue;
    auto fiber = Spawn(entry.name, [this, &entry] { return Repeat(entry); });
    if (!fiber.ok()) return fiber.status();
    fibers_.push_back(*std::move(fiber));
  }
  return absl::OkStatus();
}

absl::Status PeriodicWork::Repeat(const Application::Periodic& entry) {
  Hub& hub = *Hub::Current();
  const absl::Duration interval = entry.interval();
  MonotonicNanos due = NextDue(hub.now(), hub.now(), interval);
  for (;;) {
    {
      Timeout timeout(absl::Nanoseconds(due - hub.now()));
      const absl::Status stopped = stopping_.Wait();
      if (!timeout.fired()) return stopped;
    }
    auto run = Spawn(entry.name, [this, &entry] { return entry.body(services_); });
    const absl::Status status = run.ok() ? run->Join() : run.status();
    if (hub.running()->cancelled()) return status;
    if (!status.ok()) {
      Log(LogLevel::kError, "periodic work failed",
          {{"name", entry.name}, {"error", status.ToString()}});
    }
    due = NextDue(due, hub.now(), interval);
  }
}

absl::Status PeriodicWork::Stop() {
  stopping_.Set();
  for (FiberHandle& fiber : std::exchange(fibers_, {})) {
    absl::Status status = fiber.Join();
    if (!fiber.ended()) return status;
  }
  return absl::OkStatus();
}

}  // namespace grove::worker
