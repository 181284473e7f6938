#include "server/worker/utf8_text.h"

#include <algorithm>

#include "http/message/utf8.h"

namespace grove::worker {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Of the character at the front; 0 if there is none.
size_t CharacterLength(std::string_view text) {
  http::Utf8Check check;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!check.Feed(text.substr(i, 1))) return 0;
    if (check.AtBoundary()) return i + 1;
  }
  return 0;
}

}  // namespace

std::string Utf8Text(std::string_view text, size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const std::string_view character = length == 0 ? kReplacement : text.substr(0, length);
    if (out.size() + character.size() > bytes_max) break;
    out.append(character);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

}  // namespace grove::worker
