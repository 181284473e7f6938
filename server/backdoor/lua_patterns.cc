#include "server/backdoor/lua_patterns.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>

#include "server/backdoor/lua_matcher.h"

namespace grove::backdoor {
namespace {

constexpr std::string_view kSpecials = "^$*+?.([%-";

std::string_view CheckString(lua_State* lua, int index) {
  size_t bytes = 0;
  const char* const text = luaL_checklstring(lua, index, &bytes);
  return {text, bytes};
}

// The argument `index`, from 1 on or from -1 back, as an offset; past the end if it is there.
size_t OffsetOf(lua_State* lua, int index, size_t bytes) {
  const lua_Integer at = luaL_optinteger(lua, index, 1);
  const auto length = static_cast<lua_Integer>(bytes);
  if (at > 0) return static_cast<size_t>(std::min(at - 1, length + 1));
  return static_cast<size_t>(at == 0 || at < -length ? 0 : length + at);
}

// Null if it is not there.
const char* FindPlain(LuaMatcher& matcher, const char* from, std::string_view text) {
  if (text.empty()) return from;
  while (static_cast<size_t>(matcher.end() - from) >= text.size()) {
    const size_t places = static_cast<size_t>(matcher.end() - from) - text.size() + 1;
    const auto* found = static_cast<const char*>(std::memchr(from, text.front(), places));
    if (found == nullptr) return nullptr;
    matcher.Charge(1 + static_cast<size_t>(found - from) / 16 + text.size() / 16);
    if (std::memcmp(found, text.data(), text.size()) == 0) return found;
    from = found + 1;
  }
  return nullptr;
}

enum class Wanted { kPlace, kCaptures };

int Search(lua_State* lua, Wanted wanted) {
  const std::string_view subject = CheckString(lua, 1);
  std::string_view pattern = CheckString(lua, 2);
  const size_t offset = OffsetOf(lua, 3, subject.size());
  if (offset > subject.size()) {
    luaL_pushfail(lua);
    return 1;
  }
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  LuaMatcher matcher(lua, subject, pattern);
  for (const char* at = subject.data() + offset;; ++at) {
    const char* const last = matcher.MatchAt(at);
    if (last != nullptr) {
      if (wanted == Wanted::kCaptures) return matcher.PushCaptures(at, last);
      lua_pushinteger(lua, at - matcher.begin() + 1);
      lua_pushinteger(lua, last - matcher.begin());
      return matcher.PushCapturesOnly() + 2;
    }
    if (anchored || at == matcher.end()) break;
  }
  luaL_pushfail(lua);
  return 1;
}

int Find(lua_State* lua) {
  const std::string_view subject = CheckString(lua, 1);
  const std::string_view text = CheckString(lua, 2);
  const size_t offset = OffsetOf(lua, 3, subject.size());
  const bool plain = lua_toboolean(lua, 4) != 0 || text.find_first_of(kSpecials) == text.npos;
  if (!plain || offset > subject.size()) return Search(lua, Wanted::kPlace);
  LuaMatcher matcher(lua, subject, {});
  const char* const found = FindPlain(matcher, subject.data() + offset, text);
  if (found == nullptr) {
    luaL_pushfail(lua);
    return 1;
  }
  lua_pushinteger(lua, found - subject.data() + 1);
  lua_pushinteger(lua, found - subject.data() + static_cast<lua_Integer>(text.size()));
  return 2;
}

int FindMatch(lua_State* lua) {
  return Search(lua, Wanted::kCaptures);
}

// Upvalues: subject, pattern, the offset to go on from, the end of the last match (-1: none yet).
int NextMatch(lua_State* lua) {
  size_t bytes = 0;
  const char* const text = lua_tolstring(lua, lua_upvalueindex(1), &bytes);
  const std::string_view subject(text, bytes);
  const char* const pattern = lua_tolstring(lua, lua_upvalueindex(2), &bytes);
  const auto offset = static_cast<size_t>(lua_tointeger(lua, lua_upvalueindex(3)));
  const lua_Integer last_end = lua_tointeger(lua, lua_upvalueindex(4));
  LuaMatcher matcher(lua, subject, {pattern, bytes});
  for (size_t at = offset; at <= subject.size(); ++at) {
    const char* const last = matcher.MatchAt(subject.data() + at);
    if (last == nullptr || last - subject.data() == last_end) continue;
    lua_pushinteger(lua, last - subject.data());
    lua_pushvalue(lua, -1);
    lua_replace(lua, lua_upvalueindex(3));
    lua_replace(lua, lua_upvalueindex(4));
    return matcher.PushCaptures(subject.data() + at, last);
  }
  return 0;
}

int Matches(lua_State* lua) {
  const std::string_view subject = CheckString(lua, 1);
  CheckString(lua, 2);
  const size_t offset = OffsetOf(lua, 3, subject.size());
  lua_settop(lua, 2);
  lua_pushinteger(lua, static_cast<lua_Integer>(offset));
  lua_pushinteger(lua, -1);
  lua_pushcclosure(lua, &NextMatch, 4);
  return 1;
}

// Of argument 3, a text with %0 to %9.
void AddText(lua_State* lua, LuaMatcher& matcher, luaL_Buffer& out, const char* first,
             const char* last) {
  size_t bytes = 0;
  const char* p = lua_tolstring(lua, 3, &bytes);
  for (const char* const end = p + bytes; p != end; ++p) {
    matcher.Charge(1);
    if (*p != '%') {
      luaL_addchar(&out, *p);
      continue;
    }
    if (++p == end) luaL_error(lua, "invalid use of '%%' in replacement string");
    if (*p == '%') {
      luaL_addchar(&out, *p);
    } else if (*p == '0') {
      matcher.Charge(static_cast<size_t>(last - first) / 16);
      luaL_addlstring(&out, first, static_cast<size_t>(last - first));
    } else if (std::isdigit(static_cast<unsigned char>(*p)) != 0) {
      matcher.PushCapture(*p - '1', first, last);
      luaL_tolstring(lua, -1, nullptr);  // of a position
      lua_remove(lua, -2);
      luaL_addvalue(&out);
    } else {
      luaL_error(lua, "invalid use of '%%' in replacement string");
    }
  }
}

// Of argument 3, a table or function: false and nil leave what was matched.
void AddValue(lua_State* lua, LuaMatcher& matcher, luaL_Buffer& out, const char* first,
              const char* last) {
  if (lua_type(lua, 3) == LUA_TTABLE) {
    matcher.PushCapture(0, first, last);
    lua_gettable(lua, 3);
  } else {
    lua_pushvalue(lua, 3);
    lua_call(lua, matcher.PushCaptures(first, last), 1);
  }
  if (lua_toboolean(lua, -1) == 0) {
    lua_pop(lua, 1);
    luaL_addlstring(&out, first, static_cast<size_t>(last - first));
  } else if (lua_isstring(lua, -1) != 0) {
    luaL_addvalue(&out);
  } else {
    luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
  }
}

int Substitute(lua_State* lua) {
  const std::string_view subject = CheckString(lua, 1);
  std::string_view pattern = CheckString(lua, 2);
  const int type = lua_type(lua, 3);
  const bool text = type == LUA_TSTRING || type == LUA_TNUMBER;
  luaL_argexpected(lua, text || type == LUA_TTABLE || type == LUA_TFUNCTION, 3,
                   "string/function/table");
  const auto all = static_cast<lua_Integer>(subject.size()) + 1;
  const lua_Integer count_max = luaL_optinteger(lua, 4, all);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  LuaMatcher matcher(lua, subject, pattern);
  luaL_Buffer out;
  luaL_buffinit(lua, &out);
  const char* at = matcher.begin();
  const char* last_end = nullptr;
  lua_Integer count = 0;
  while (count < count_max) {
    const char* const last = matcher.MatchAt(at);
    if (last != nullptr && last != last_end) {
      ++count;
      text ? AddText(lua, matcher, out, at, last) : AddValue(lua, matcher, out, at, last);
      at = last_end = last;
    } else if (at < matcher.end()) {
      luaL_addchar(&out, *at++);
    } else {
      break;
    }
    if (anchored) break;
  }
  luaL_addlstring(&out, at, static_cast<size_t>(matcher.end() - at));
  luaL_pushresult(&out);
  lua_pushinteger(lua, count);
  return 2;
}

}  // namespace

void OpenPatterns(lua_State* lua) {
  constexpr luaL_Reg kFunctions[] = {{"find", &Find},
                                     {"match", &FindMatch},
                                     {"gmatch", &Matches},
                                     {"gsub", &Substitute},
                                     {nullptr, nullptr}};
  luaL_setfuncs(lua, kFunctions, 0);
}

}  // namespace grove::backdoor
