// All that bounds a spawn is asked before anything is taken: one that is refused costs nothing.
#include "server/tasks/spawn_quotas.h"

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

constexpr int64_t kRetryAfterMs = 1000;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr std::string_view kTenantQueued = "QUOTA_QUEUED";

// A tenant, or one of the keys of a task: what holds for it, and what is used.
struct Level {
  // "tenants/acme", "customer-7".
  std::string subject;
  // Whose bounds these are: "quotas of tenants/acme", "limit customer-* of tenants/acme".
  std::string of;
  tenancy::Bounds bounds;
  int64_t waiting = 0;
  tenancy::Gcra spawns;
  std::string_view queued_reason;
  std::string_view rate_reason;
};

Level LevelOf(const EngineState& state, size_t tenant) {
  const std::string name = state.directory->tenants()[tenant].resource_name();
  const TenantUse& of = state.tenants[tenant].use();
  return {name,
          StrCat("quotas of ", name),
          state.directory->QuotasOf(tenant),
          of.waiting,
          of.spawns,
          kTenantQueued,
          "QUOTA_SPAWN_RATE"};
}

Level LevelOf(const EngineState& state, size_t tenant, std::string_view key) {
  Level level = {.subject = std::string(key),
                 .queued_reason = "LIMIT_QUEUED",
                 .rate_reason = "LIMIT_SPAWN_RATE"};
  if (const tenancy::Limit* limit = FindLimit(state, tenant, key)) {
    level.bounds = *limit;
    level.of = StrCat("limit ", limit->pattern, " of ",
                      state.directory->tenants()[tenant].resource_name());
  }
  if (const LimitKey* found = FindKey(state, tenant, key)) {
    level.waiting = found->waiting;
    level.spawns = found->spawns;
  }
  return level;
}

absl::Status Refuse(const Level& level, std::string_view reason, const std::string& bound,
                    std::string_view field, int64_t retry_after_ms) {
  absl::Status refusal =
      Refusal(absl::StatusCode::kResourceExhausted, reason,
              StrCat(level.subject, ": ", bound, " (", field, " in the ", level.of, ")"),
              {{"subject", level.subject}, {"bound", std::string(field)}});
  refusal = WithQuotaFailure(std::move(refusal), level.subject, StrCat(bound, " (", field, ")"));
  return WithRetryAfter(std::move(refusal), retry_after_ms);
}

absl::Status CheckQueued(const Level& level) {
  const int64_t max = level.bounds.queued_max;
  if (max == 0 || level.waiting < max) return absl::OkStatus();
  return Refuse(level, level.queued_reason, StrCat(level.waiting, " of ", max, " tasks wait"),
                "queued_max", kRetryAfterMs);
}

absl::Status CheckRate(const Level& level, int64_t now_ns) {
  const int64_t wait_ns = level.spawns.WaitNs(level.bounds.spawns, now_ns);
  if (wait_ns == 0) return absl::OkStatus();
  return Refuse(level, level.rate_reason,
                StrCat("tasks are spawned too fast; the next one may be in ",
                       (wait_ns + kNsPerMs - 1) / kNsPerMs, " ms"),
                "spawn rate", (wait_ns + kNsPerMs - 1) / kNsPerMs);
}

absl::Status CheckBytes(const EngineState& state, size_t tenant, int64_t more) {
  const int64_t max = state.directory->QuotasOf(tenant).queued_bytes_max;
  const int64_t used = state.tenants[tenant].use().waiting_bytes;
  if (max == 0 || used + more <= max) return absl::OkStatus();
  return Refuse(LevelOf(state, tenant), "QUOTA_QUEUED_BYTES",
                StrCat("the inputs of tasks that wait have ", used, " of ", max, " bytes, and ",
                       more, " more do not fit"),
                "queued_bytes_max", kRetryAfterMs);
}

// The tenant, and each level of the key; the first refusal.
template <typename Check>
absl::Status CheckLevels(const EngineState& state, size_t tenant, std::string_view key,
                         Check check) {
  if (state.directory->tenants()[tenant].bounds == nullptr) return absl::OkStatus();
  absl::Status status = check(LevelOf(state, tenant));
  const size_t slash = key.find('/');
  if (status.ok() && !key.empty()) {
    status = check(LevelOf(state, tenant, key.substr(0, slash)));
  }
  if (status.ok() && slash != key.npos) status = check(LevelOf(state, tenant, key));
  return status;
}

std::string_view KeyOf(const Task& task) {
  const auto& key = task.spec.extras().limit_key;
  return key == nullptr ? std::string_view() : *key;
}

}  // namespace

absl::Status CheckQuotas(const EngineState& state, size_t tenant, std::string_view key,
                         int64_t input_bytes) {
  absl::Status status = CheckLevels(state, tenant, key, CheckQueued);
  if (status.ok()) status = CheckBytes(state, tenant, input_bytes);
  if (!status.ok()) return status;
  return CheckLevels(state, tenant, key, [&state](const Level& level) {
    return CheckRate(level, state.now_us * 1000);
  });
}

absl::Status CheckQuotasToReturn(const EngineState& state, const Task& task) {
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  absl::Status status = CheckLevels(state, tenant, KeyOf(task), CheckQueued);
  return status.ok() ? CheckBytes(state, tenant, task.input_bytes) : status;
}

absl::Status CheckQuotasToMove(const EngineState& state, const Task& task, std::string_view key) {
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  const auto counts_for = [&](std::string_view subject) {
    bool found = false;
    ForEachLevel(task.key, [&](const LimitKey& own) { found |= own.name == subject; });
    return found;
  };
  return CheckLevels(state, tenant, key, [&](const Level& level) {
    const bool is_tenant = level.queued_reason == kTenantQueued;
    return is_tenant || counts_for(level.subject) ? absl::OkStatus() : CheckQueued(level);
  });
}

void CountSpawn(EngineState& state, const Task& task) {
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  const int64_t now_ns = state.now_us * 1000;
  const tenancy::Rate& rate = state.directory->QuotasOf(tenant).spawns;
  state.tenants[tenant].InUse().spawns.Take(rate, now_ns);
  ForEachLevel(task.key, [&](LimitKey& key) {
    const tenancy::Limit* limit = LimitOf(state, key);
    if (limit != nullptr) key.spawns.Take(limit->spawns, now_ns);
  });
}

void CountEarlierSpawn(EngineState& state, size_t tenant, EngineMicros at_us) {
  if (state.directory->tenants()[tenant].bounds == nullptr) return;
  const tenancy::Rate& rate = state.directory->QuotasOf(tenant).spawns;
  if (!rate.is_bound()) return;
  state.tenants[tenant].InUse().spawns.Take(rate, std::min(state.now_us, at_us) * 1000);
}

void CountEarlierSpawn(EngineState& state, const Task& task) {
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  if (state.directory->tenants()[tenant].bounds == nullptr) return;
  const EngineMicros at_us = state.FromWall(task.create_time_us);
  CountEarlierSpawn(state, tenant, at_us);
  const int64_t at_ns = std::min(state.now_us, at_us) * 1000;
  const std::string_view name = KeyOf(task);
  const auto is_bound = [&](std::string_view level) {
    const tenancy::Limit* limit = FindLimit(state, tenant, level);
    return limit != nullptr && limit->spawns.is_bound();
  };
  if (name.empty() || (!is_bound(name) && !is_bound(name.substr(0, name.find('/'))))) return;
  // One that has ended has no key any more, but its bucket may outlast it. What is full by now was
  // not so when the next one was let in: none is forgotten in between.
  LimitKey* const key = UseKey(state, tenant, name);
  ForEachLevel(key, [&](LimitKey& level) {
    const tenancy::Limit* limit = LimitOf(state, level);
    if (limit != nullptr) level.spawns.Take(limit->spawns, at_ns);
  });
  if (!state.recovered_keys.insert(key).second) LeaveKey(state, key);
}

void EndEarlierSpawns(EngineState& state) {
  for (LimitKey* key : std::exchange(state.recovered_keys, {})) LeaveKey(state, key);
}

}  // namespace grove::tasks
