#include "server/config/plain_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

namespace grove::config {
namespace {

// The length of the UTF-8 character at the front (RFC 3629 4), or 0.
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

// The length of the character at the front, or 0 where there is none that is plain.
size_t PlainLength(std::string_view text) {
  return absl::ascii_iscntrl(text[0]) ? 0 : Utf8Length(text);
}

}  // namespace

bool IsPlainText(std::string_view text) {
  while (!text.empty()) {
    const size_t length = PlainLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string AsPlainText(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    const size_t length = PlainLength(text);
    if (length == 0) {
      absl::StrAppendFormat(&plain, "\\x%02x", static_cast<unsigned char>(text[0]));
    } else {
      plain.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return plain;
}

}  // namespace grove::config
