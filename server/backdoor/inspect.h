// OpenInspection: what a session can ask: hub(), fibers(), stack(), deadlocks(), pools(), timers(),
// listeners(), worker(), app(), help(), quit().
//
// Each answers with fresh tables: changing them changes nothing.
#ifndef GROVE_SERVER_BACKDOOR_INSPECT_H_
#define GROVE_SERVER_BACKDOOR_INSPECT_H_

#include <lua.hpp>

namespace grove::backdoor {

// May raise Lua errors (memory): call protected.
void OpenInspection(lua_State* lua);

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_INSPECT_H_
