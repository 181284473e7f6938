#include "server/backdoor/lua_printer.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grove::backdoor {
namespace {

constexpr int kStackSlots = 4;

std::string_view StringAt(lua_State* lua, int index) {
  size_t length = 0;
  const char* const bytes = lua_tolstring(lua, index, &length);
  return {bytes, length};
}

bool IsControl(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x20 || byte == 0x7f) return true;
  // U+0080 to U+009F, which terminals obey too, in UTF-8 or bare.
  if (byte < 0x80 || byte > 0x9f) return false;
  const auto before = at == 0 ? 0 : static_cast<unsigned char>(text[at - 1]);
  return before < 0x80 || before == 0xc2;
}

std::string Escaped(std::string_view text, std::string_view kept) {
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsControl(text, i) && kept.find(text[i]) == std::string_view::npos) {
      absl::StrAppendFormat(&escaped, "\\x%02x", static_cast<unsigned char>(text[i]));
    } else {
      escaped += text[i];
    }
  }
  return escaped;
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : Escaped(text, "")) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

bool IsName(std::string_view text) {
  const auto letter = [](char c) { return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z'); };
  const auto later = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), later);
}

std::string NumberText(lua_State* lua, int index) {
  if (lua_isinteger(lua, index)) return absl::StrCat(lua_tointeger(lua, index));
  const double number = lua_tonumber(lua, index);
  std::string text = absl::StrFormat("%.14g", number);
  if (std::isfinite(number) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// What is not a table.
std::string ScalarText(lua_State* lua, int index, bool quote) {
  switch (lua_type(lua, index)) {
    case LUA_TNIL:
      return "nil";
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, index) ? "true" : "false";
    case LUA_TNUMBER:
      return NumberText(lua, index);
    case LUA_TSTRING:
      return quote ? Quoted(StringAt(lua, index)) : EscapeControls(StringAt(lua, index));
    default:
      return absl::StrFormat("<%s>", lua_typename(lua, lua_type(lua, index)));
  }
}

class TablePrinter {
 public:
  TablePrinter(lua_State* lua, size_t bytes_max) : lua_(lua), bytes_max_(bytes_max) {}

  std::string Table(int index, int depth);

 private:
  struct Entry {
    // Positions first, then by name.
    std::tuple<int, double, std::string> order;
    std::string text;
    bool operator<(const Entry& other) const { return order < other.order; }
  };

  std::string Value(int index, int depth) {
    if (lua_type(lua_, index) == LUA_TTABLE) return Table(index, depth + 1);
    return ScalarText(lua_, index, /*quote=*/true);
  }
  // Of the key and value on top of the stack; positions (1 to `length`) need no key.
  Entry MakeEntry(int depth, lua_Integer length);

  lua_State* const lua_;
  const size_t bytes_max_;
  size_t bytes_ = 0;
};

TablePrinter::Entry TablePrinter::MakeEntry(int depth, lua_Integer length) {
  Entry entry{{1, 0, ""}, ""};
  const int key = lua_gettop(lua_) - 1;
  if (lua_type(lua_, key) == LUA_TSTRING) {
    const std::string_view name = StringAt(lua_, key);
    std::get<2>(entry.order) = name;
    entry.text =
        IsName(name) ? absl::StrFormat("%s = ", name) : absl::StrFormat("[%s] = ", Quoted(name));
  } else if (lua_type(lua_, key) == LUA_TNUMBER) {
    entry.order = {0, lua_tonumber(lua_, key), ""};
    const bool position = lua_isinteger(lua_, key) && lua_tointeger(lua_, key) >= 1 &&
                          lua_tointeger(lua_, key) <= length;
    if (!position) entry.text = absl::StrFormat("[%s] = ", NumberText(lua_, key));
  } else {
    entry.text = absl::StrFormat("[%s] = ", ScalarText(lua_, key, /*quote=*/true));
    std::get<2>(entry.order) = entry.text;
  }
  entry.text += Value(lua_gettop(lua_), depth);
  return entry;
}

// On one line if it holds no table, else an entry a line.
std::string TablePrinter::Table(int index, int depth) {
  if (depth > kPrintDepthMax) return "{…}";
  if (!lua_checkstack(lua_, kStackSlots)) return "{…}";
  const auto length = static_cast<lua_Integer>(lua_rawlen(lua_, index));
  std::vector<Entry> entries;
  bool nested = false;
  bool cut = false;
  lua_pushnil(lua_);
  while (lua_next(lua_, index) != 0) {
    cut = entries.size() >= kPrintEntriesMax || bytes_ > bytes_max_;
    if (cut) {
      lua_pop(lua_, 2);
      break;
    }
    nested = nested || lua_type(lua_, -1) == LUA_TTABLE;
    entries.push_back(MakeEntry(depth, length));
    bytes_ += entries.back().text.size();
    lua_pop(lua_, 1);
  }
  if (entries.empty()) return cut ? "{…}" : "{}";
  std::sort(entries.begin(), entries.end());
  const std::string indent(nested ? 2 * depth : 0, ' ');
  const std::string_view gap = nested ? "\n" : " ";
  std::string text = "{";
  for (const Entry& entry : entries) {
    absl::StrAppendFormat(&text, "%s%s%s,", gap, indent, entry.text);
  }
  if (cut) {
    absl::StrAppendFormat(&text, "%s%s…", gap, indent);
  } else if (!nested) {
    text.pop_back();  // the last comma
  }
  return absl::StrFormat("%s%s%s}", text, gap, std::string(nested ? 2 * (depth - 1) : 0, ' '));
}

}  // namespace

std::string EscapeControls(std::string_view text) {
  return Escaped(text, "\n\t");
}

void AppendValue(lua_State* lua, int index, size_t bytes_max, std::string& out) {
  if (lua_type(lua, index) == LUA_TTABLE) {
    out += TablePrinter(lua, bytes_max).Table(lua_absindex(lua, index), 1);
  } else {
    out += ScalarText(lua, index, /*quote=*/false);
  }
}

}  // namespace grove::backdoor
