// Abseil's texts: std::string_view here, the distribution's string_view there.
//
// Debian builds abseil for programs of C++14 too, with a string_view of its own that std's converts
// neither to nor from. Grove says std::string_view everywhere; this is the one place that knows
// better. What abseil gives (status.message()) becomes ours by Std(), what it takes (a Status's
// message, a map's key) its own by Abseil(); neither copies. The calls below are abseil's own for
// std::string_view, found by their arguments beside the rest of namespace grove.
#ifndef GROVE_RUNTIME_SWITCH_ABSEIL_TEXT_H_
#define GROVE_RUNTIME_SWITCH_ABSEIL_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace grove {

constexpr absl::string_view Abseil(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

constexpr std::string_view Std(absl::string_view text) {
  return std::string_view(text.data(), text.size());
}

namespace abseil_text_internal {

inline absl::string_view Part(std::string_view text) {
  return Abseil(text);
}
inline absl::string_view Part(const std::string& text) {
  return Abseil(text);
}
// A number, a literal, absl::Hex() …
template <typename T>
const T& Part(const T& part) {
  return part;
}

}  // namespace abseil_text_internal

template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  return absl::StrCat(abseil_text_internal::Part(parts)...);
}

template <typename... Parts>
void StrAppend(std::string* to, const Parts&... parts) {
  absl::StrAppend(to, abseil_text_internal::Part(parts)...);
}

// The whole of `text` as a decimal number, signs and blanks around it allowed.
template <typename Number>
bool SimpleAtoi(std::string_view text, Number* number) {
  return absl::SimpleAtoi(Abseil(text), number);
}

// The pieces between separators: one more than there are separators; with a `keep` such as
// absl::SkipEmpty(), those that it takes.
template <typename... Predicate>
std::vector<std::string_view> StrSplit(std::string_view text, char separator, Predicate... keep) {
  std::vector<std::string_view> pieces;
  for (const absl::string_view piece : absl::StrSplit(Abseil(text), separator, keep...)) {
    pieces.push_back(Std(piece));
  }
  return pieces;
}

// Takes `prefix` off `*text`, if it begins so.
inline bool ConsumePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

}  // namespace grove

#endif  // GROVE_RUNTIME_SWITCH_ABSEIL_TEXT_H_
