// Limit keys: which of a tenant's are there, and what holds for each.
#ifndef GROVE_SERVER_TASKS_LIMIT_KEYS_H_
#define GROVE_SERVER_TASKS_LIMIT_KEYS_H_

#include <string_view>

#include "server/tasks/engine_state.h"

namespace grove::tasks {

// nullptr: there is none of that name now.
const LimitKey* FindKey(const EngineState& state, size_t tenant, std::string_view name);
// The limit that holds for a key that may not be there; nullptr: none does.
const tenancy::Limit* FindLimit(const EngineState& state, size_t tenant, std::string_view name);
// Looked up again only after a change.
const tenancy::Limit* LimitOf(const EngineState& state, LimitKey& key);

// The key of that name, made if it is not there, with one user more.
LimitKey* UseKey(EngineState& state, size_t tenant, std::string_view name);
// One user less: without any it may be gone afterwards.
void LeaveKey(EngineState& state, LimitKey* key);
// Those that had no user, and whose bucket is full by now. At Tick().
void ForgetIdleKeys(EngineState& state);
// When ForgetIdleKeys() has something to do; INT64_MAX if never.
EngineMicros NextIdleKey(const EngineState& state);
// All of a tenant that has no task and no attempt.
void ForgetKeysOf(EngineState& state, size_t tenant);

// Calls `each` with the key and the one above it, the first part of the name first.
template <typename Each>
void ForEachLevel(LimitKey* key, Each each) {
  if (key == nullptr) return;
  if (key->parent != nullptr) each(*key->parent);
  each(*key);
}

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_LIMIT_KEYS_H_
