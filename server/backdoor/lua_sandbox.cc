#include "server/backdoor/lua_sandbox.h"

#include <algorithm>
#include <cstring>

#include "server/backdoor/lua_patterns.h"
#include "server/backdoor/lua_session.h"

namespace grove::backdoor {
namespace {

// Entries that one call moves, some 50 ns each.
constexpr lua_Integer kTableMoveMax = 100'000;
// Each comparison comes past the hook.
constexpr lua_Integer kTableSortMax = 100'000;
// Of string.format, pack and unpack: each of its items may take 1 us.
constexpr size_t kFormatMaxBytes = 4096;
// What %q may write as escapes, 0.1 us each.
constexpr size_t kQuotedMaxBytes = 16 * 1024;

// The C function that the running one wraps.
int CallWrapped(lua_State* lua) {
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

// Of argument `index`; 0 if it is no string (or number). Converts it in its place.
size_t BytesOf(lua_State* lua, int index) {
  size_t bytes = 0;
  if (lua_isstring(lua, index)) lua_tolstring(lua, index, &bytes);
  return bytes;
}

// Else as often as it is asked to: nothing grows, so no memory would end it.
int BoundedRep(lua_State* lua) {
  luaL_checkstring(lua, 1);
  const lua_Integer count = luaL_checkinteger(lua, 2);
  const size_t bytes = BytesOf(lua, 1) + BytesOf(lua, 3);
  if (bytes == 0) {
    lua_pushliteral(lua, "");
    return 1;
  }
  // What does not fit into a block is refused before it is written.
  const double fitting = static_cast<double>(kBlockMaxBytes) / static_cast<double>(bytes);
  LuaSession::Of(lua).Charge(std::clamp<double>(static_cast<double>(count), 0, fitting) / 8);
  return CallWrapped(lua);
}

void CheckFormat(lua_State* lua) {
  const size_t bytes = BytesOf(lua, 1);
  luaL_argcheck(lua, bytes <= kFormatMaxBytes, 1, "a format of more than 4096 bytes");
  LuaSession::Of(lua).Charge(static_cast<double>(bytes));
}

int BoundedPack(lua_State* lua) {
  CheckFormat(lua);
  return CallWrapped(lua);
}

int BoundedFormat(lua_State* lua) {
  CheckFormat(lua);
  const char* const format = luaL_checkstring(lua, 1);
  size_t quoted = 0;
  if (std::strchr(format, 'q') != nullptr) {
    for (int i = 2; i <= lua_gettop(lua); ++i) {
      if (lua_type(lua, i) == LUA_TSTRING) quoted += lua_rawlen(lua, i);
    }
  }
  if (quoted > kQuotedMaxBytes) return luaL_error(lua, "more than 16384 bytes for %%q");
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

// Entries behind `position`, all of which move. As doubles: a difference of integers may overflow.
void CheckMoved(lua_State* lua, double position, double last) {
  const double moved = last - position;
  if (moved > kTableMoveMax) luaL_error(lua, "more than 100000 entries to move");
  LuaSession::Of(lua).Charge(std::max<double>(moved, 0));
}

// The border of a table may be any of several, and far beyond its entries.
int BoundedInsert(lua_State* lua) {
  CheckPlainTable(lua, 1);
  if (lua_gettop(lua) == 3) {
    CheckMoved(lua, luaL_checknumber(lua, 2), static_cast<double>(lua_rawlen(lua, 1)) + 1);
  }
  return CallWrapped(lua);
}

int BoundedRemove(lua_State* lua) {
  CheckPlainTable(lua, 1);
  if (!lua_isnoneornil(lua, 2)) {
    CheckMoved(lua, luaL_checknumber(lua, 2), static_cast<double>(lua_rawlen(lua, 1)));
  }
  return CallWrapped(lua);
}

int LessThan(lua_State* lua) {
  lua_pushboolean(lua, lua_compare(lua, 1, 2, LUA_OPLT));
  return 1;
}

// Always with a function that compares, since a call comes past the hook.
int BoundedSort(lua_State* lua) {
  CheckPlainTable(lua, 1);
  if (static_cast<lua_Integer>(lua_rawlen(lua, 1)) > kTableSortMax) {
    return luaL_argerror(lua, 1, "more than 100000 entries to sort");
  }
  if (lua_isnoneornil(lua, 2)) {
    lua_settop(lua, 1);
    lua_pushcfunction(lua, &LessThan);
  }
  return CallWrapped(lua);
}

int BoundedMove(lua_State* lua) {
  CheckPlainTable(lua, 1);
  if (!lua_isnoneornil(lua, 5)) CheckPlainTable(lua, 5);
  CheckMoved(lua, static_cast<double>(luaL_checkinteger(lua, 2)),
             static_cast<double>(luaL_checkinteger(lua, 3)));
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

void OpenSandbox(lua_State* lua) {
  OpenBase(lua);
  luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 1);
  Remove(lua, "dump");
  OpenPatterns(lua);
  Wrap(lua, {"rep", &BoundedRep});
  Wrap(lua, {"format", &BoundedFormat});
  for (const char* name : {"pack", "packsize", "unpack"}) Wrap(lua, {name, &BoundedPack});
  luaL_requiref(lua, LUA_TABLIBNAME, luaopen_table, 1);
  for (const char* name : {"concat", "unpack"}) Wrap(lua, {name, &PlainTable});
  Wrap(lua, {"insert", &BoundedInsert});
  Wrap(lua, {"remove", &BoundedRemove});
  Wrap(lua, {"sort", &BoundedSort});
  Wrap(lua, {"move", &BoundedMove});
  luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 1);
  luaL_requiref(lua, LUA_UTF8LIBNAME, luaopen_utf8, 1);
  lua_settop(lua, 0);
}

}  // namespace grove::backdoor
