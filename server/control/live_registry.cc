#include "server/control/live_registry.h"

#include <memory>

#include "runtime/switch/abseil_text.h"
#include "runtime/sync/event.h"
#include "server/control/engine_driver.h"
#include "server/log.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// Of a disk that failed: an operator has to look at it.
constexpr int64_t kRetryAfterMs = 10'000;

absl::Status AsRefusal(const absl::Status& failure) {
  if (failure.ok()) return failure;
  Log(LogLevel::kError, "a change of tenants or tokens cannot be stored",
      {{"error", failure.message()}});
  const bool full = absl::IsResourceExhausted(failure);
  return tasks::WithRetryAfter(
      tasks::Refusal(full ? failure.code() : absl::StatusCode::kUnavailable,
                     full ? "REGISTRY_FULL" : "REGISTRY_UNAVAILABLE",
                     StrCat("the change cannot be stored: ", failure.message())),
      kRetryAfterMs);
}

}  // namespace

absl::Status LiveRegistry::Write(tenancy::RegistryChange change) {
  if (stopped_) return EngineDriver::DrainingStatus();
  struct Written {
    Event done;
    absl::Status status;
  };
  const auto written = std::make_shared<Written>();
  store_.Write(change, [this, written, change](absl::Status status) mutable {
    hub_.Post([this, written, change = std::move(change), status = std::move(status)]() mutable {
      // Here, so that what is on disk is known even where the caller has been ended.
      if (status.ok()) all_.Apply(std::move(change));
      written->status = std::move(status);
      written->done.Set();
    });
  });
  if (absl::Status waited = written->done.Wait(); !waited.ok()) return waited;
  return AsRefusal(written->status);
}

absl::Status LiveRegistry::Stop(OffloadPool& offload) {
  stopped_ = true;
  return offload.Run([this] { store_.Stop(); });
}

}  // namespace grove::control
