#include "server/backdoor/lua_matcher.h"

#include <cctype>
#include <cstring>
#include <utility>

#include "server/backdoor/lua_session.h"

namespace grove::backdoor {
namespace {

bool IsInClass(unsigned char c, unsigned char name) {
  int is = 0;
  switch (std::tolower(name)) {
    case 'a':
      is = std::isalpha(c);
      break;
    case 'c':
      is = std::iscntrl(c);
      break;
    case 'd':
      is = std::isdigit(c);
      break;
    case 'g':
      is = std::isgraph(c);
      break;
    case 'l':
      is = std::islower(c);
      break;
    case 'p':
      is = std::ispunct(c);
      break;
    case 's':
      is = std::isspace(c);
      break;
    case 'u':
      is = std::isupper(c);
      break;
    case 'w':
      is = std::isalnum(c);
      break;
    case 'x':
      is = std::isxdigit(c);
      break;
    case 'z':  // of Lua 5.1, still taken
      is = c == '\0';
      break;
    default:
      return name == c;
  }
  return (is != 0) != (std::isupper(name) != 0);
}

}  // namespace

void LuaMatcher::Pay() {
  LuaSession::Of(lua_).Charge(static_cast<double>(std::exchange(steps_, 0)));
}

const char* LuaMatcher::MatchAt(const char* at) {
  level_ = 0;
  depth_ = 0;
  return Match(at, pattern_);
}

const char* LuaMatcher::Match(const char* s, const char* p) {
  if (++depth_ > kDepthMax) luaL_error(lua_, "pattern too complex");
  const char* const last = Walk(s, p);
  --depth_;
  return last;
}

// Items that are not repeated need no recursion.
const char* LuaMatcher::Walk(const char* s, const char* p) {
  for (;;) {
    Charge(1);
    if (p == pattern_end_) return s;
    if (*p == '(') {
      const bool position = p + 1 != pattern_end_ && p[1] == ')';
      return position ? OpenCapture(s, p + 2, kPosition) : OpenCapture(s, p + 1, kOpen);
    }
    if (*p == ')') return CloseCapture(s, p + 1);
    if (*p == '$' && p + 1 == pattern_end_) return s == end_ ? s : nullptr;
    if (TakeSpecial(s, p)) {
      if (s == nullptr) return nullptr;
      continue;
    }
    const char* const after = ItemEnd(p);
    const char suffix = after == pattern_end_ ? '\0' : *after;
    if (suffix == '*') return MatchLongest(s, p, after);
    if (suffix == '-') return MatchShortest(s, p, after);
    const bool matches = IsMatch(s, p, after);
    if (suffix == '+') return matches ? MatchLongest(s + 1, p, after) : nullptr;
    if (suffix == '?') {
      const char* const last = matches ? Match(s + 1, after + 1) : nullptr;
      if (last != nullptr) return last;
      p = after + 1;
      continue;
    }
    if (!matches) return nullptr;
    ++s;
    p = after;
  }
}

bool LuaMatcher::TakeSpecial(const char*& s, const char*& p) {
  if (*p != '%' || p + 1 == pattern_end_) return false;
  if (p[1] == 'b') {
    s = MatchBalanced(s, p + 2);
    p += 4;
    return true;
  }
  if (p[1] == 'f') {
    p += 2;
    if (p == pattern_end_ || *p != '[') luaL_error(lua_, "missing '[' after '%%f' in pattern");
    const char* const after = ItemEnd(p);
    if (!IsFrontier(s, p, after)) s = nullptr;
    p = after;
    return true;
  }
  if (std::isdigit(static_cast<unsigned char>(p[1])) == 0) return false;
  s = MatchCaptured(s, p[1]);
  p += 2;
  return true;
}

const char* LuaMatcher::MatchLongest(const char* s, const char* p, const char* after) {
  ptrdiff_t count = 0;
  while (IsMatch(s + count, p, after)) ++count;
  for (; count >= 0; --count) {
    const char* const last = Match(s + count, after + 1);
    if (last != nullptr) return last;
  }
  return nullptr;
}

const char* LuaMatcher::MatchShortest(const char* s, const char* p, const char* after) {
  for (;; ++s) {
    const char* const last = Match(s, after + 1);
    if (last != nullptr) return last;
    if (!IsMatch(s, p, after)) return nullptr;
  }
}

const char* LuaMatcher::OpenCapture(const char* s, const char* p, ptrdiff_t kind) {
  if (level_ == kCapturesMax) luaL_error(lua_, "too many captures");
  captures_[level_++] = {s, kind};
  const char* const last = Match(s, p);
  if (last == nullptr) --level_;
  return last;
}

const char* LuaMatcher::CloseCapture(const char* s, const char* p) {
  int index = level_ - 1;
  while (index >= 0 && captures_[index].length != kOpen) --index;
  if (index < 0) luaL_error(lua_, "invalid pattern capture");
  captures_[index].length = s - captures_[index].first;
  const char* const last = Match(s, p);
  if (last == nullptr) captures_[index].length = kOpen;
  return last;
}

// `p`: at the two characters of a "%b".
const char* LuaMatcher::MatchBalanced(const char* s, const char* p) {
  if (pattern_end_ - p < 2) {
    luaL_error(lua_, "malformed pattern (missing arguments to '%%b')");
  }
  if (s == end_ || *s != p[0]) return nullptr;
  for (int open = 1; ++s != end_;) {
    Charge(1);
    if (*s == p[1]) {
      if (--open == 0) return s + 1;
    } else if (*s == p[0]) {
      ++open;
    }
  }
  return nullptr;
}

// As if the subject had a NUL in front and behind.
bool LuaMatcher::IsFrontier(const char* s, const char* set, const char* after) {
  const auto before = static_cast<unsigned char>(s == begin_ ? '\0' : s[-1]);
  const auto here = static_cast<unsigned char>(s == end_ ? '\0' : *s);
  return !IsInSet(before, set, after - 1) && IsInSet(here, set, after - 1);
}

const char* LuaMatcher::MatchCaptured(const char* s, char digit) {
  const int index = digit - '1';
  if (index < 0 || index >= level_ || captures_[index].length == kOpen) {
    luaL_error(lua_, "invalid capture index %%%d", index + 1);
  }
  const Capture& captured = captures_[index];
  if (captured.length < 0 || end_ - s < captured.length) return nullptr;
  Charge(static_cast<size_t>(captured.length) / 16);
  if (std::memcmp(captured.first, s, static_cast<size_t>(captured.length)) != 0) return nullptr;
  return s + captured.length;
}

const char* LuaMatcher::ItemEnd(const char* p) {
  const char first = *p++;
  if (first == '%') {
    if (p == pattern_end_) luaL_error(lua_, "malformed pattern (ends with '%%')");
    return p + 1;
  }
  if (first != '[') return p;
  if (p != pattern_end_ && *p == '^') ++p;
  // A ']' right behind stands for itself.
  do {
    if (p == pattern_end_) luaL_error(lua_, "malformed pattern (missing ']')");
    Charge(1);
    if (*p++ == '%' && p != pattern_end_) ++p;
  } while (p == pattern_end_ || *p != ']');
  return p + 1;
}

bool LuaMatcher::IsMatch(const char* s, const char* p, const char* after) {
  Charge(1);
  if (s == end_) return false;
  const auto c = static_cast<unsigned char>(*s);
  switch (*p) {
    case '.':
      return true;
    case '%':
      return IsInClass(c, static_cast<unsigned char>(p[1]));
    case '[':
      return IsInSet(c, p, after - 1);
    default:
      return static_cast<unsigned char>(*p) == c;
  }
}

// From its '[' to its ']'.
bool LuaMatcher::IsInSet(unsigned char c, const char* set, const char* closing) {
  const char* p = set + 1;
  const bool wanted = *p != '^';
  if (!wanted) ++p;
  for (; p < closing; ++p) {
    Charge(1);
    if (*p == '%') {
      if (IsInClass(c, static_cast<unsigned char>(*++p))) return wanted;
    } else if (p[1] == '-' && p + 2 < closing) {
      const auto low = static_cast<unsigned char>(*p);
      p += 2;
      if (low <= c && c <= static_cast<unsigned char>(*p)) return wanted;
    } else if (static_cast<unsigned char>(*p) == c) {
      return wanted;
    }
  }
  return !wanted;
}

void LuaMatcher::PushCapture(int index, const char* first, const char* last) {
  if (index >= level_) {
    if (index != 0) luaL_error(lua_, "invalid capture index %%%d", index + 1);
    lua_pushlstring(lua_, first, static_cast<size_t>(last - first));
    return;
  }
  const Capture& capture = captures_[index];
  if (capture.length == kOpen) luaL_error(lua_, "unfinished capture");
  if (capture.length == kPosition) {
    lua_pushinteger(lua_, capture.first - begin_ + 1);
  } else {
    lua_pushlstring(lua_, capture.first, static_cast<size_t>(capture.length));
  }
}

int LuaMatcher::PushCapturesOnly() {
  luaL_checkstack(lua_, level_, "too many captures");
  for (int i = 0; i < level_; ++i) PushCapture(i, nullptr, nullptr);
  return level_;
}

int LuaMatcher::PushCaptures(const char* first, const char* last) {
  if (level_ > 0) return PushCapturesOnly();
  PushCapture(0, first, last);
  return 1;
}

}  // namespace grove::backdoor
