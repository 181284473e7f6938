// OpenInspection: what a session can ask: hub(), fibers(), stack(), deadlocks(), pools(), timers(),
// listeners(), worker(), app(), help(), quit().
//
// Each answers with fresh tables: changing them changes nothing.
#ifndef GROVE_SERVER_BACKDOOR_INSPECT_H_
#define GROVE_SERVER_BACKDOOR_INSPECT_H_

#include <lua.hpp>
#include <string>

#include "runtime/hub/fiber.h"

namespace grove::backdoor {

// May raise Lua errors (memory): call protected.
void OpenInspection(lua_State* lua);

// "" unless parked; "read fd 7", "timer", … (see WaitForText)
std::string WaitText(const Fiber& fiber);

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_INSPECT_H_
