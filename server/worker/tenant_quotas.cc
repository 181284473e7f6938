#include "server/worker/tenant_quotas.h"

#include <set>
#include <utility>

#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/tenancy/gcra.h"

namespace grove::worker {

TenantQuotas::TenantQuotas(metrics::Scoreboard& scoreboard, int worker)
    : scoreboard_(scoreboard),
      worker_(worker),
      names_(scoreboard.series().bound_tenants.directory()) {}

void TenantQuotas::Begin(const config::v1::Config& config) {
  for (const config::v1::Tenant& tenant : config.tenants()) {
    const tenancy::HttpQuotas bounds = tenancy::HttpQuotasOf(tenant.quotas());
    if (bounds != tenancy::HttpQuotas{}) Bind(tenant.name(), tenants_[tenant.name()], bounds);
  }
}

void TenantQuotas::TakeAll(const Bounds& bounds) {
  told_.Set();
  std::set<std::string_view> there;
  for (const internal::v1::TenantBounds& of : bounds) there.insert(of.tenant());
  for (auto& [tenant, entry] : tenants_) {
    if (there.contains(std::string_view(tenant))) continue;
    entry.from_control = false;
    Bind(tenant, entry, {});
  }
  Take(bounds);
}

void TenantQuotas::Take(const Bounds& bounds) {
  for (const internal::v1::TenantBounds& of : bounds) Take(of);
}

void TenantQuotas::Take(const internal::v1::TenantBounds& bounds) {
  Entry& entry = tenants_[bounds.tenant()];
  entry.from_control = !bounds.gone();
  Bind(bounds.tenant(), entry,
       bounds.gone() ? tenancy::HttpQuotas{} : tenancy::HttpQuotasOf(bounds));
  if (bounds.gone() && entry.held == nullptr) tenants_.erase(bounds.tenant());
}

void TenantQuotas::Bind(const std::string& tenant, Entry& entry,
                        const tenancy::HttpQuotas& bounds) {
  const bool is_bound = bounds != tenancy::HttpQuotas{};
  if (entry.held == nullptr) {
    if (!is_bound) return;
    entry.held = std::make_unique<Held>();
    const uint32_t number = names_.Find(tenant);
    if (number == metrics::kOtherSeries) {
      entry.held->own = std::make_unique<metrics::TenantCells>();
      entry.held->cells = entry.held->own.get();
    } else {
      entry.held->cells = &scoreboard_.series().bound_cells.of[number];
    }
  }
  Held& held = *entry.held;
  if (held.bounds != tenancy::HttpQuotas{}) --bound_;
  if (is_bound) ++bound_;
  held.bounds = bounds;
  held.rate = tenancy::RateOf(bounds.per_second, bounds.per_minute, bounds.burst);
  // There may be more turns than there were.
  held.freed.Set();
}

http::TenantGate::Known TenantQuotas::Knows(std::string_view tenant) {
  const bool told = told_.ready() || WithTimeout(kToldMax, [&] { return told_.Wait(); }).ok();
  const auto found = tenants_.find(Abseil(tenant));
  if (found != tenants_.end() && found->second.from_control) return Known::kYes;
  return told ? Known::kNo : Known::kNotTold;
}

TenantQuotas::Held* TenantQuotas::Find(std::string_view tenant) const {
  if (bound_ == 0) return nullptr;
  const auto found = tenants_.find(Abseil(tenant));
  if (found == tenants_.end() || found->second.held == nullptr) return nullptr;
  Held& held = *found->second.held;
  return held.bounds == tenancy::HttpQuotas{} ? nullptr : &held;
}

// --- Requests

http::TenantPass TenantQuotas::Enter(std::string_view tenant) {
  Held* const held = Find(tenant);
  if (held == nullptr) return http::TenantPass::Admitted();
  metrics::TenantCells& cells = *held->cells;
  // Counted, too, where the rate alone is bound: the tenant is shown with them.
  const int64_t max = held->bounds.requests_max == 0 ? INT64_MAX : held->bounds.requests_max;
  if (!cells.requests.Enter(worker_, scoreboard_.workers(), max)) {
    cells.refused_requests.fetch_add(1, std::memory_order_relaxed);
    return http::TenantPass::Refused("the tenant has as many under way as it may", kFullRetry);
  }
  std::atomic<int32_t>* const count = &cells.requests.of(worker_);
  // Taken back with the pass, if the rate refuses.
  http::TenantPass pass = http::TenantPass::Admitted(count);
  const int64_t wait_ns = TakeRate(*held, Hub::Current()->now());
  if (wait_ns == 0) return pass;
  cells.refused_rate.fetch_add(1, std::memory_order_relaxed);
  return http::TenantPass::Refused("the tenant asks more often than it may",
                                   absl::Nanoseconds(wait_ns));
}

int64_t TenantQuotas::TakeRate(Held& held, int64_t now_ns) {
  if (!held.rate.is_bound()) return 0;
  int64_t full_at_ns = held.cells->http_full_at_ns.load(std::memory_order_relaxed);
  for (;;) {
    tenancy::Gcra bucket(full_at_ns);
    if (const int64_t wait_ns = bucket.WaitNs(held.rate, now_ns); wait_ns > 0) return wait_ns;
    bucket.Take(held.rate, now_ns);
    if (held.cells->http_full_at_ns.compare_exchange_weak(full_at_ns, bucket.full_at_ns(),
                                                          std::memory_order_relaxed)) {
      return 0;
    }
  }
}

// --- Fetches

absl::StatusOr<functions::FetchTurns::Line*> TenantQuotas::Await() {
  if (bound_ == 0) return nullptr;
  const FiberLabel* const label = Hub::Current()->running()->label();
  Held* const held = label == nullptr ? nullptr : Find(label->tenant);
  if (held == nullptr || held->bounds.fetches_max == 0) return nullptr;
  if (held->line.TryLock()) {
    const bool has_turn = !StandsBack(*held) && TryTurn(*held);
    held->line.Unlock().IgnoreError();
    if (has_turn) return held;
  }
  held->cells->fetch_waits.fetch_add(1, std::memory_order_relaxed);
  metrics::WorkerCounts::Count& waiting_here = held->cells->fetches_waiting.of(worker_);
  ++waiting_;
  waiting_here.fetch_add(1);
  absl::Status status = AwaitTurn(*held);
  waiting_here.fetch_sub(1);
  --waiting_;
  if (!status.ok()) return status;
  return held;
}

absl::Status TenantQuotas::AwaitTurn(Held& held) {
  const MutexLock first(held.line);
  if (!first.ok()) return first.status();
  for (;;) {
    if (StandsBack(held)) {
      held.turns_in_row = 0;
      if (absl::Status slept = Sleep(2 * kFetchLook); !slept.ok()) return slept;
    }
    if (TryTurn(held)) return absl::OkStatus();
    held.freed.Reset();
    absl::Status woken = WithSilentTimeout(kFetchLook, [&] { return held.freed.Wait(); });
    if (!woken.ok()) return woken;
  }
}

// Where the bound was taken away meanwhile, the turn counts all the same.
bool TenantQuotas::TryTurn(Held& held) {
  const int64_t max = held.bounds.fetches_max == 0 ? INT64_MAX : held.bounds.fetches_max;
  if (!held.cells->fetches.Enter(worker_, scoreboard_.workers(), max)) return false;
  held.turns_in_row = OthersWait(held) ? held.turns_in_row + 1 : 0;
  return true;
}

bool TenantQuotas::StandsBack(const Held& held) const {
  return held.turns_in_row >= kFetchTurnsInRow && OthersWait(held);
}

bool TenantQuotas::OthersWait(const Held& held) const {
  const metrics::WorkerCounts& waiting = held.cells->fetches_waiting;
  return waiting.Sum(scoreboard_.workers()) > waiting.of(worker_).load();
}

void TenantQuotas::End(Line* line) {
  Held& held = *static_cast<Held*>(line);
  held.cells->fetches.Leave(worker_);
  held.freed.Set();
}

}  // namespace grove::worker
