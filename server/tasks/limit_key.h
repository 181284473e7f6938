// LimitKey: the tasks of a tenant that name the same limit key, as the engine counts them.
//
// A key is there while a task that has not ended names it, an attempt holds slots of it, or its
// bucket of spawns is not full; then it costs nothing (limit_keys.h). Plain record.
#ifndef GROVE_SERVER_TASKS_LIMIT_KEY_H_
#define GROVE_SERVER_TASKS_LIMIT_KEY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "server/tasks/aside_tasks.h"
#include "server/tasks/engine_time.h"
#include "server/tenancy/gcra.h"
#include "server/tenancy/quotas.h"

namespace grove::tasks {

struct LimitKey {
  // "customer-7", "customer-7/route-a".
  std::string name;
  size_t tenant = 0;
  // Of a key of two parts: that of the first.
  LimitKey* parent = nullptr;
  // Tasks that have not ended, attempts that hold slots, and keys whose parent it is.
  int64_t users = 0;
  // Tasks that are SCHEDULED or QUEUED; slots that attempts hold, abandoned ones too.
  int64_t waiting = 0;
  int64_t slots = 0;
  tenancy::Gcra spawns;
  // What found too few slots left, or was called back since.
  Lane aside;
  // The limit that holds for it; nullptr: none does. As of EngineState::limits_version.
  const tenancy::Limit* limit = nullptr;
  uint64_t limit_version = 0;
  // Without users: when it may go.
  EngineMicros forget_us = 0;
};

// By name. Their addresses stay.
using LimitKeys = std::map<std::string, LimitKey, std::less<>>;

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_LIMIT_KEY_H_
