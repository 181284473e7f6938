// AppendValue: a Lua value as text for people.
//
// Tables are shown with their contents, keys in order, to a bounded depth and size; strings with
// their control characters escaped, so that no text from outside drives the terminal.
// Calls no metamethod and raises no Lua error.
#ifndef GROVE_SERVER_BACKDOOR_LUA_PRINTER_H_
#define GROVE_SERVER_BACKDOOR_LUA_PRINTER_H_

#include <lua.hpp>
#include <string>
#include <string_view>

namespace grove::backdoor {

inline constexpr int kPrintDepthMax = 4;
inline constexpr int kPrintEntriesMax = 1000;  // of one table

// Stops soon after `bytes_max`.
void AppendValue(lua_State* lua, int index, size_t bytes_max, std::string& out);

// Control characters (but newline and tab) as \xNN.
std::string EscapeControls(std::string_view text);

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_LUA_PRINTER_H_
