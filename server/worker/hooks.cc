#include "server/worker/hooks.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "server/log.h"
#include "server/worker/guarded.h"

namespace grove::worker {
namespace {

// For a cancelled hook to let go of what it has.
constexpr absl::Duration kLetGo = absl::Milliseconds(500);

// Something, in any case.
absl::Duration LeftUntil(MonotonicNanos deadline) {
  return std::max(absl::Nanoseconds(deadline - Hub::Current()->ReadClock()), absl::Milliseconds(1));
}

}  // namespace

absl::Status Hooks::Run(const std::string& what, absl::Duration timeout,
                        absl::AnyInvocable<absl::Status()> body) {
  struct Call {
    std::string name;
    absl::AnyInvocable<absl::Status()> body;
  };
  // The fiber's, which may outlive this call.
  auto call = std::make_shared<Call>(Call{what, std::move(body)});
  absl::StatusOr<FiberHandle> fiber = Spawn(call->name, [call, timeout] {
    Timeout bound(timeout);
    return call->body();
  });
  if (!fiber.ok()) return fiber.status();
  absl::Status status;
  {
    // Its own parks end first.
    Timeout bound(timeout + kLetGo);
    status = fiber->Join();
  }
  if (!fiber->ended()) {
    fiber->get()->Cancel();
    Timeout bound(kLetGo);
    fiber->Join().IgnoreError();
    status = absl::DeadlineExceededError("");
  }
  if (status.ok()) return status;
  if (absl::IsDeadlineExceeded(status)) {
    return absl::DeadlineExceededError(
        absl::StrCat(what, ": did not end within ", absl::FormatDuration(timeout)));
  }
  return {status.code(), absl::StrCat(what, ": ", status.message())};
}

absl::Status Hooks::Start(Attempts::Functions& functions) {
  for (const Application::HookEntry& entry : application_.start_hooks()) {
    absl::Status status = Run(absl::StrCat("start hook \"", entry.name, "\""), entry.timeout,
                              [this, &entry] { return entry.hook(services_); });
    if (!status.ok()) return status;
  }
  for (auto& [name, entry] : functions) {
    if (entry.factory == nullptr) continue;
    absl::StatusOr<Function> made =
        Guarded(absl::StrCat("the factory of function \"", name, "\""),
                [&, factory = entry.factory] { return factory(services_); });
    if (!made.ok()) return made.status();
    entry.function = *std::move(made);
  }
  started_ = true;
  return absl::OkStatus();
}

void Hooks::Stop(absl::Duration left) {
  if (!started_) return;
  const MonotonicNanos until =
      DeadlineAfter(Hub::Current()->ReadClock(), std::max(left, kStopHooksMin));
  const auto& hooks = application_.stop_hooks();
  for (auto entry = hooks.rbegin(); entry != hooks.rend(); ++entry) {
    const absl::Status status = Run(absl::StrCat("stop hook \"", entry->name, "\""),
                                    std::min(entry->timeout, LeftUntil(until)),
                                    [this, hook = &*entry] { return hook->hook(services_); });
    if (!status.ok()) {
      Log(LogLevel::kError, "a stop hook failed", {{"error", status.ToString()}});
    }
  }
}

absl::Status Hooks::Reload(const Settings& now) {
  if (now == settings_ && !torn_) return absl::OkStatus();
  const MonotonicNanos until = DeadlineAfter(Hub::Current()->ReadClock(), kReloadHookTimeout);
  for (const Application::ReloadHookEntry& entry : application_.reload_hooks()) {
    const absl::Duration rest = LeftUntil(until);
    absl::Status status = Run(absl::StrCat("reload hook \"", entry.name, "\""), rest,
                              [this, &entry, now] { return entry.hook(services_, now); });
    if (!status.ok()) {
      torn_ = true;
      return status;
    }
  }
  torn_ = false;
  settings_ = now;
  return absl::OkStatus();
}

}  // namespace grove::worker
