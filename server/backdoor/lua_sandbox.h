// OpenSandbox: the part of Lua's own libraries that can neither reach out of the state nor run
// beyond its budgets.
//
// No os, io, package, debug, coroutine; no load, dofile, string.dump. pcall and xpcall let spent
// budgets through; setmetatable refuses finalizers; pattern and table functions refuse work that
// no hook would see.
#ifndef GROVE_SERVER_BACKDOOR_LUA_SANDBOX_H_
#define GROVE_SERVER_BACKDOOR_LUA_SANDBOX_H_

#include <lua.hpp>
#include <string_view>

namespace grove::backdoor {

// May raise Lua errors (memory): call protected.
void OpenSandbox(lua_State* lua);

// An upper bound on the steps that Lua's matcher takes for `pattern` on so many bytes: it goes back
// and forth, and a pattern of k repetitions may take n^(k+1) of them.
double PatternStepsMax(size_t subject_bytes, std::string_view pattern);

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_LUA_SANDBOX_H_
