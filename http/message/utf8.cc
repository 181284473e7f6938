#include "http/message/utf8.h"

#include <cstring>

namespace grove::http {
namespace {

// The first byte that is not ASCII.
const char* SkipAscii(const char* p, const char* end) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  for (; end - p >= 16; p += 16) {
    uint64_t words[2];
    std::memcpy(words, p, sizeof(words));
    if (((words[0] | words[1]) & kHighBits) != 0) break;
  }
  while (p != end && static_cast<uint8_t>(*p) < 0x80) ++p;
  return p;
}

}  // namespace

bool Utf8Check::Start(uint8_t lead) {
  low_ = 0x80;
  high_ = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    left_ = 1;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    left_ = 2;
    if (lead == 0xe0) low_ = 0xa0;   // overlong below
    if (lead == 0xed) high_ = 0x9f;  // surrogates above
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    left_ = 3;
    if (lead == 0xf0) low_ = 0x90;   // overlong below
    if (lead == 0xf4) high_ = 0x8f;  // beyond U+10FFFF above
  } else {
    return false;
  }
  return true;
}

bool Utf8Check::Feed(std::string_view bytes) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (valid_ && p != end) {
    if (left_ == 0) {
      p = SkipAscii(p, end);
      if (p == end) break;
      valid_ = Start(static_cast<uint8_t>(*p++));
      continue;
    }
    const auto byte = static_cast<uint8_t>(*p++);
    valid_ = byte >= low_ && byte <= high_;
    low_ = 0x80;
    high_ = 0xbf;
    --left_;
  }
  return valid_;
}

bool IsUtf8(std::string_view text) {
  Utf8Check check;
  return check.Feed(text) && check.AtBoundary();
}

}  // namespace grove::http
