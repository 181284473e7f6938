#include "server/backdoor/lua_sandbox.h"

#include <algorithm>
#include <cmath>

#include "server/backdoor/lua_session.h"

namespace grove::backdoor {
namespace {

// About 0.1 s, in which no other fiber runs.
constexpr double kPatternStepsMax = 2e7;
constexpr lua_Integer kTableMoveMax = 1'000'000;
constexpr lua_Integer kTableSortMax = 100'000;

// The end of the set that starts at `at`; a ']' right after '[' or '[^' stands for itself.
size_t SkipSet(std::string_view pattern, size_t at) {
  size_t end = at + 1;
  if (end < pattern.size() && pattern[end] == '^') ++end;
  if (end < pattern.size() && pattern[end] == ']') ++end;
  while (end < pattern.size() && pattern[end] != ']') end += pattern[end] == '%' ? 2 : 1;
  return std::min(end, pattern.size());
}

// The C function that the running one wraps.
int CallWrapped(lua_State* lua) {
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

int BoundedPattern(lua_State* lua) {
  if (lua_isstring(lua, 1) && lua_isstring(lua, 2)) {
    size_t subject_bytes = 0;
    size_t pattern_bytes = 0;
    lua_tolstring(lua, 1, &subject_bytes);
    const char* const pattern = lua_tolstring(lua, 2, &pattern_bytes);
    // Nothing with a destructor is alive when this raises.
    if (PatternStepsMax(subject_bytes, {pattern, pattern_bytes}) > kPatternStepsMax) {
      return luaL_error(lua, "the pattern may take too long on a string of %d bytes",
                        static_cast<int>(subject_bytes));
    }
  }
  return CallWrapped(lua);
}

// __len and __index would let a table claim a length that no memory bounds.
void CheckPlainTable(lua_State* lua, int index) {
  luaL_checktype(lua, index, LUA_TTABLE);
  if (lua_getmetatable(lua, index)) luaL_argerror(lua, index, "has a metatable; not for this");
}

int PlainTable(lua_State* lua) {
  CheckPlainTable(lua, 1);
  return CallWrapped(lua);
}

int BoundedSort(lua_State* lua) {
  CheckPlainTable(lua, 1);
  if (static_cast<lua_Integer>(lua_rawlen(lua, 1)) > kTableSortMax) {
    return luaL_argerror(lua, 1, "more than 100000 entries to sort");
  }
  return CallWrapped(lua);
}

int BoundedMove(lua_State* lua) {
  CheckPlainTable(lua, 1);
  if (!lua_isnoneornil(lua, 5)) CheckPlainTable(lua, 5);
  const lua_Integer from = luaL_checkinteger(lua, 2);
  const lua_Integer to = luaL_checkinteger(lua, 3);
  // As doubles: the difference may overflow.
  if (static_cast<double>(to) - static_cast<double>(from) > kTableMoveMax) {
    return luaL_argerror(lua, 3, "more than 1000000 entries to move");
  }
  return CallWrapped(lua);
}

int SetMetatable(lua_State* lua) {
  if (lua_istable(lua, 2)) {
    lua_pushliteral(lua, "__gc");
    if (lua_rawget(lua, 2) != LUA_TNIL) {
      return luaL_argerror(lua, 2, "finalizers (__gc) are not allowed here");
    }
    lua_pop(lua, 1);
  }
  return CallWrapped(lua);
}

// A spent budget, or memory, goes on up to the prompt.
void PassOnKill(lua_State* lua, int status) {
  LuaSession& session = LuaSession::Of(lua);
  if (status == LUA_ERRMEM) session.Kill("not enough memory (backdoor.memory_max_bytes)");
  if (session.killed()) lua_error(lua);
}

int ProtectedCall(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  const int status = lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0);
  if (status == LUA_OK) return lua_gettop(lua);
  PassOnKill(lua, status);
  lua_pushboolean(lua, 0);
  lua_insert(lua, -2);
  return 2;
}

// Lua's own would run the handler where the error is, also for one that a hook raised: there no
// hook runs. So the handler runs after the error has come here.
int ProtectedCallWithHandler(lua_State* lua) {
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_pushboolean(lua, 1);
  lua_pushvalue(lua, 1);
  lua_rotate(lua, 3, 2);  // f, handler, true, f, arguments
  const int status = lua_pcall(lua, lua_gettop(lua) - 4, LUA_MULTRET, 0);
  if (status == LUA_OK) return lua_gettop(lua) - 2;
  PassOnKill(lua, status);
  lua_pushboolean(lua, 0);
  lua_pushvalue(lua, 2);
  lua_rotate(lua, -3, 2);  // …, false, handler, error
  lua_call(lua, 1, LUA_MULTRET);
  return lua_gettop(lua) - 3;
}

int Print(lua_State* lua) {
  LuaSession& session = LuaSession::Of(lua);
  const int count = lua_gettop(lua);
  for (int i = 1; i <= count; ++i) {
    size_t length = 0;
    const char* const text = luaL_tolstring(lua, i, &length);
    const bool room =
        session.PrintText({text, length}) && session.PrintText(i < count ? "\t" : "\n");
    if (!room) {
      session.Kill("the line printed too much (backdoor.output_max_bytes)");
      return luaL_error(lua, "output");
    }
    lua_pop(lua, 1);
  }
  if (count == 0) session.PrintText("\n");
  return 0;
}

int CollectGarbage(lua_State* lua) {
  const char* const what = luaL_optstring(lua, 1, "count");
  luaL_argcheck(lua, std::string_view(what) == "count", 1, "only \"count\" is allowed here");
  lua_pushnumber(lua, lua_gc(lua, LUA_GCCOUNT) + lua_gc(lua, LUA_GCCOUNTB) / 1024.0);
  return 1;
}

struct Wrapping {
  const char* name;
  lua_CFunction wrapper;
};

// Of the library table on top of the stack.
void Wrap(lua_State* lua, const Wrapping& wrapping) {
  lua_getfield(lua, -1, wrapping.name);
  lua_pushcclosure(lua, wrapping.wrapper, 1);
  lua_setfield(lua, -2, wrapping.name);
}

void Remove(lua_State* lua, const char* name) {
  lua_pushnil(lua);
  lua_setfield(lua, -2, name);
}

void OpenBase(lua_State* lua) {
  luaL_requiref(lua, LUA_GNAME, luaopen_base, 1);
  for (const char* name : {"dofile", "load", "loadfile", "warn"}) Remove(lua, name);
  Wrap(lua, {"setmetatable", &SetMetatable});
  constexpr luaL_Reg kReplaced[] = {{"pcall", &ProtectedCall},
                                    {"xpcall", &ProtectedCallWithHandler},
                                    {"print", &Print},
                                    {"collectgarbage", &CollectGarbage},
                                    {nullptr, nullptr}};
  luaL_setfuncs(lua, kReplaced, 0);
  lua_pop(lua, 1);
}

}  // namespace

double PatternStepsMax(size_t subject_bytes, std::string_view pattern) {
  const bool anchored = pattern.starts_with('^');
  int repeats = 0;
  int options = 0;
  for (size_t i = anchored ? 1 : 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '%' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 'b' || (next >= '0' && next <= '9')) ++repeats;
    } else if (c == '[') {
      i = SkipSet(pattern, i);
    } else if (c == '*' || c == '+' || c == '-') {
      ++repeats;
    } else if (c == '?') {
      ++options;
    }
  }
  const double subject = static_cast<double>(subject_bytes) + 1;
  const double plain = repeats == 0 ? std::max<double>(1, pattern.size()) : 1;
  return std::pow(subject, repeats + (anchored ? 0 : 1)) * std::pow(2, options) * plain;
}

void OpenSandbox(lua_State* lua) {
  OpenBase(lua);
  luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 1);
  Remove(lua, "dump");
  for (const char* name : {"find", "match", "gmatch", "gsub"}) Wrap(lua, {name, &BoundedPattern});
  luaL_requiref(lua, LUA_TABLIBNAME, luaopen_table, 1);
  for (const char* name : {"insert", "remove", "concat", "unpack"}) Wrap(lua, {name, &PlainTable});
  Wrap(lua, {"sort", &BoundedSort});
  Wrap(lua, {"move", &BoundedMove});
  luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 1);
  luaL_requiref(lua, LUA_UTF8LIBNAME, luaopen_utf8, 1);
  lua_settop(lua, 0);
}

}  // namespace grove::backdoor
