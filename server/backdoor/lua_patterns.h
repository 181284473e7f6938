// OpenPatterns: string.find, match, gmatch and gsub over LuaMatcher, as the manual has them.
#ifndef GROVE_SERVER_BACKDOOR_LUA_PATTERNS_H_
#define GROVE_SERVER_BACKDOOR_LUA_PATTERNS_H_

#include <lua.hpp>

namespace grove::backdoor {

// Into the library table on top of the stack. May raise Lua errors (memory): call protected.
void OpenPatterns(lua_State* lua);

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_LUA_PATTERNS_H_
