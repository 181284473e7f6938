#include "server/control/tenant_drain.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "server/log.h"

namespace grove::control {

TenantDrain::TenantDrain(tenancy::Directory& directory, EngineDriver& driver,
                         LiveRegistry& registry, tenancy::TokenBook& book)
    : directory_(directory), driver_(driver), registry_(registry), book_(book) {
  for (size_t i = 0; i < directory.tenants().size(); ++i) {
    if (directory.tenants()[i].draining) draining_[i] = 0;
  }
}

absl::Status TenantDrain::Run() {
  absl::Duration pause = kDrainPauseMin;
  for (;;) {
    while (draining_.empty()) {
      if (absl::Status woken = begun_.Wait(); !woken.ok()) return woken;
      begun_.Reset();
    }
    begun_.Reset();
    const uint64_t rounds = driver_.rounds();
    swept_in_vain_ = false;
    LookAtAll();
    pause = swept_in_vain_ ? std::min(2 * pause, kDrainPauseMax) : kDrainPauseMin;
    if (absl::Status woken = AwaitNews(rounds, pause); absl::IsCancelled(woken)) return woken;
  }
}

void TenantDrain::LookAtAll() {
  std::vector<size_t> tenants;
  tenants.reserve(draining_.size());
  for (const auto& [tenant, ticket] : draining_) tenants.push_back(tenant);
  for (const size_t tenant : tenants) {
    if (Advance(tenant)) draining_.erase(tenant);
  }
}

// A round of the engine's after `rounds`, or another tenant; not before `pause` is over.
absl::Status TenantDrain::AwaitNews(uint64_t rounds, absl::Duration pause) {
  {
    const Timeout timeout(pause);
    absl::Status woken = begun_.Wait();
    if (!absl::IsDeadlineExceeded(woken)) return woken;
  }
  if (draining_.empty() || driver_.rounds() != rounds) return absl::OkStatus();
  // The registry may have failed: that is no event of the engine's.
  const Timeout timeout(kDrainPauseMax);
  return driver_.AwaitRound();
}

void TenantDrain::Begin(size_t tenant) {
  draining_[tenant] = 0;
  begun_.Set();
}

void TenantDrain::CancelTasks(size_t tenant) {
  tasks::TaskId after;
  while (!driver_.SweepTenant(tenant, tasks::TenantSweep::kCancel, after)) Yield();
  begun_.Set();
}

bool TenantDrain::Advance(size_t tenant) {
  const tasks::TaskEngine& engine = driver_.engine();
  if (!drop_schedules_(directory_.tenants()[tenant].name).ok()) return false;
  if (driver_.handed_over() || engine.LoadOf(tenant).live() > 0) return false;
  if (!engine.IsUnused(tenant)) DropEnded(tenant);
  if (!engine.IsUnused(tenant)) {
    swept_in_vain_ = true;
    return false;
  }
  uint64_t& ticket = draining_[tenant];
  // Before its name is free: what is left on disk would be the next one's of that name.
  if (ticket == 0) ticket = std::max<uint64_t>(engine.last_ticket(), 1);
  return engine.IsOnDisk(ticket) && Remove(tenant);
}

void TenantDrain::DropEnded(size_t tenant) {
  tasks::TaskId after;
  while (!driver_.SweepTenant(tenant, tasks::TenantSweep::kDropEnded, after)) Yield();
}

bool TenantDrain::Remove(size_t tenant) {
  const std::string name = directory_.tenants()[tenant].name;
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return false;
  if (!registry_.Write({.drop_tenants = {name}}).ok()) return false;
  book_.RevokeAllOf(name);
  std::vector<size_t> queues;
  directory_.ForEachQueueOf(tenant, [&](size_t queue) { queues.push_back(queue); });
  driver_.ForgetTenant(tenant, queues);
  directory_.Retire(tenant);
  on_gone_(name);
  Log(LogLevel::kInfo, "tenant deleted", {{"tenant", name}});
  return true;
}

}  // namespace grove::control
