// OpenSandbox: the part of Lua's own libraries that can neither reach out of the state nor run
// beyond its budgets.
//
// No os, io, package, debug, coroutine; no load, dofile, string.dump. pcall and xpcall let spent
// budgets through; setmetatable refuses finalizers. No hook sees what a library function does, so
// each is bounded by what it is given: the memory of its arguments (a block has kBlockMaxBytes at
// most) where it passes over those once, a count of entries where its loop would follow a number.
// Patterns, which no such bound would fit, are matched by LuaMatcher.
#ifndef GROVE_SERVER_BACKDOOR_LUA_SANDBOX_H_
#define GROVE_SERVER_BACKDOOR_LUA_SANDBOX_H_

#include <lua.hpp>

namespace grove::backdoor {

// May raise Lua errors (memory): call protected.
void OpenSandbox(lua_State* lua);

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_LUA_SANDBOX_H_
