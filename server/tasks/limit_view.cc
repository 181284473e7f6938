#include "server/tasks/limit_view.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/tasks/engine.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/views.h"

namespace grove::tasks {
namespace {

v1::LimitUsage ViewKey(const EngineState& state, LimitKey& key) {
  v1::LimitUsage view;
  view.set_key(key.name);
  view.set_running(key.slots);
  view.set_queued(key.waiting);
  if (const tenancy::Limit* limit = LimitOf(state, key)) {
    view.set_pattern(limit->pattern);
    view.set_running_max(limit->running_max);
    view.set_queued_max(limit->queued_max);
  }
  return view;
}

}  // namespace

void FillQuotas(const EngineState& state, TaskCounters& counters) {
  for (size_t i = 0; i < state.tenants.size(); ++i) {
    if (state.directory->tenants()[i].bounds == nullptr) continue;
    const std::string& name = state.directory->tenants()[i].name;
    const int64_t payload_bytes = state.payloads == nullptr ? 0 : state.payloads->BytesOf(name);
    if (IsQuiet(state, i) && payload_bytes == 0) continue;
    const tenancy::Quotas& quotas = state.directory->QuotasOf(i);
    const TenantUse& tenant = state.tenants[i].use();
    const auto add = [&](std::string_view quota, int64_t used, int64_t max) {
      if (max > 0) counters.quotas.push_back({name, quota, used, max});
    };
    add("running", tenant.slots, quotas.running_max);
    add("queued", tenant.waiting, quotas.queued_max);
    add("queued_bytes", tenant.waiting_bytes, quotas.queued_bytes_max);
    add("payload_bytes", payload_bytes, quotas.payload_bytes_max);
  }
}

std::vector<v1::LimitUsage> TaskEngine::ListKeys(size_t tenant, std::string_view prefix,
                                                 std::string_view after, size_t max) const {
  std::vector<v1::LimitUsage> found;
  TenantUse* const used = state_->tenants[tenant].used.get();
  if (used == nullptr) return found;
  LimitKeys& keys = used->keys;
  auto key = after < prefix ? keys.lower_bound(prefix) : keys.upper_bound(after);
  for (; key != keys.end() && found.size() < max; ++key) {
    if (!key->first.starts_with(prefix)) break;
    // Of others only the bucket is left.
    if (key->second.waiting > 0 || key->second.slots > 0) {
      found.push_back(ViewKey(*state_, key->second));
    }
  }
  return found;
}

}  // namespace grove::tasks
