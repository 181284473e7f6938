#include "server/functions/one_line.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace grove::functions {
namespace {

// Bytes of the white space or control character at the front of `text`; 0 if there is none.
// Beyond ASCII: C1 controls (U+0080–U+009F), U+2028 and U+2029, which end lines too.
size_t BlankBytes(std::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  if (byte(0) <= 0x20 || byte(0) == 0x7f) return 1;
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) <= 0x9f) return 2;
  if (byte(0) == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9)) return 3;
  return 0;
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
  } else if (code < 0x10000) {
    out += {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
            static_cast<char>(0x80 | (code & 0x3f))};
  } else {
    out += {static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 0x3f)),
            static_cast<char>(0x80 | (code >> 6 & 0x3f)), static_cast<char>(0x80 | (code & 0x3f))};
  }
}

std::optional<uint32_t> NumericReference(std::string_view digits) {
  const bool hex = digits.starts_with("x") || digits.starts_with("X");
  if (hex) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > 7) return std::nullopt;
  uint32_t code = 0;
  for (const char c : digits) {
    uint32_t digit = 16;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit >= (hex ? 16u : 10u)) return std::nullopt;
    code = code * (hex ? 16 : 10) + digit;
  }
  if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return std::nullopt;
  return code;
}

std::optional<uint32_t> Reference(std::string_view name) {
  static constexpr struct {
    std::string_view name;
    uint32_t code;
  } kNames[] = {{"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},
                {"apos", '\''},    {"nbsp", ' '},     {"copy", 0xa9},    {"reg", 0xae},
                {"trade", 0x2122}, {"laquo", 0xab},   {"raquo", 0xbb},   {"middot", 0xb7},
                {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018}, {"rsquo", 0x2019},
                {"ldquo", 0x201c}, {"rdquo", 0x201d}, {"bull", 0x2022},  {"hellip", 0x2026}};
  if (name.starts_with("#")) return NumericReference(name.substr(1));
  const auto* const found = std::find_if(std::begin(kNames), std::end(kNames),
                                         [name](const auto& known) { return known.name == name; });
  if (found == std::end(kNames)) return std::nullopt;
  return found->code;
}

// A tag starts with a letter, '/', '!' or '?': a lone '<' is text.
bool StartsTag(std::string_view html) {
  if (html.size() < 2) return false;
  const char c = html[1];
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '!' || c == '?';
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string line;
  bool gap = false;
  while (!text.empty()) {
    if (const size_t blank = BlankBytes(text); blank > 0) {
      gap = true;
      text.remove_prefix(blank);
      continue;
    }
    if (gap && !line.empty()) line += ' ';
    gap = false;
    line += text.front();
    text.remove_prefix(1);
  }
  return line;
}

std::string HtmlText(std::string_view html) {
  constexpr size_t kReferenceMaxBytes = 12;
  std::string text;
  while (!html.empty()) {
    const char c = html.front();
    const size_t tag_end = c == '<' && StartsTag(html) ? html.find('>') : std::string_view::npos;
    if (tag_end != std::string_view::npos) {
      html.remove_prefix(tag_end + 1);
      continue;
    }
    const size_t end =
        c == '&' ? html.substr(0, kReferenceMaxBytes).find(';') : std::string_view::npos;
    const std::optional<uint32_t> code =
        end != std::string_view::npos ? Reference(html.substr(1, end - 1)) : std::nullopt;
    if (code.has_value()) {
      AppendUtf8(*code, text);
      html.remove_prefix(end + 1);
      continue;
    }
    text += c;
    html.remove_prefix(1);
  }
  return text;
}

}  // namespace grove::functions
