#include "server/tasks/limit_keys.h"

#include <utility>

#include "runtime/hub/check.h"

namespace grove::tasks {
namespace {

// Keys go together, at whole seconds: no wake-up for each.
constexpr EngineMicros kForgetStepUs = kUsPerSecond;

LimitKey* Make(EngineState& state, size_t tenant, std::string_view name) {
  LimitKey& key = state.tenants[tenant].InUse().keys.try_emplace(std::string(name)).first->second;
  key.name = std::string(name);
  key.tenant = tenant;
  const size_t slash = name.find('/');
  if (slash != name.npos) key.parent = UseKey(state, tenant, name.substr(0, slash));
  return &key;
}

void Forget(EngineState& state, LimitKey* key) {
  LimitKey* const parent = key->parent;
  LimitKeys& keys = state.tenants[key->tenant].InUse().keys;
  keys.erase(keys.find(key->name));
  if (parent != nullptr) LeaveKey(state, parent);
}

// To the microsecond, and then to the step.
EngineMicros IdleAt(const LimitKey& key) {
  const EngineMicros full_us = key.spawns.full_at_ns() / 1000 + 1;
  return (full_us / kForgetStepUs + 1) * kForgetStepUs;
}

}  // namespace

const LimitKey* FindKey(const EngineState& state, size_t tenant, std::string_view name) {
  const LimitKeys& keys = state.tenants[tenant].use().keys;
  const auto found = keys.find(name);
  return found == keys.end() ? nullptr : &found->second;
}

const tenancy::Limit* FindLimit(const EngineState& state, size_t tenant, std::string_view name) {
  return state.directory->LimitsOf(tenant).Find(name);
}

const tenancy::Limit* LimitOf(const EngineState& state, LimitKey& key) {
  if (std::exchange(key.limit_version, state.limits_version) != state.limits_version) {
    key.limit = FindLimit(state, key.tenant, key.name);
  }
  return key.limit;
}

LimitKey* UseKey(EngineState& state, size_t tenant, std::string_view name) {
  LimitKey* key = const_cast<LimitKey*>(FindKey(state, tenant, name));
  if (key == nullptr) key = Make(state, tenant, name);
  if (key->users++ == 0) state.idle_keys.erase({std::exchange(key->forget_us, 0), key});
  return key;
}

void LeaveKey(EngineState& state, LimitKey* key) {
  if (--key->users > 0) return;
  GROVE_CHECK(key->waiting == 0 && key->slots == 0 && key->aside.queues.empty(), key->name);
  if (key->spawns.full_at_ns() <= state.now_us * 1000) return Forget(state, key);
  key->forget_us = IdleAt(*key);
  state.idle_keys.insert({key->forget_us, key});
}

void ForgetIdleKeys(EngineState& state) {
  while (!state.idle_keys.empty() && state.idle_keys.begin()->first <= state.now_us) {
    LimitKey* const key = state.idle_keys.begin()->second;
    state.idle_keys.erase(state.idle_keys.begin());
    Forget(state, key);
  }
}

EngineMicros NextIdleKey(const EngineState& state) {
  return state.idle_keys.empty() ? INT64_MAX : state.idle_keys.begin()->first;
}

void ForgetKeysOf(EngineState& state, size_t tenant) {
  TenantUse* const used = state.tenants[tenant].used.get();
  if (used == nullptr) return;
  for (auto& [name, key] : used->keys) state.idle_keys.erase({key.forget_us, &key});
  used->keys.clear();
}

}  // namespace grove::tasks
