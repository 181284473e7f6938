// Utf8Check: whether a text that comes in pieces is UTF-8 (RFC 3629).
//
// It says no at the first byte that no continuation can make good: overlong forms, surrogates and
// code points beyond U+10FFFF are refused at their second byte. Pure.
#ifndef GROVE_HTTP_MESSAGE_UTF8_H_
#define GROVE_HTTP_MESSAGE_UTF8_H_

#include <cstdint>
#include <string_view>

namespace grove::http {

class Utf8Check {
 public:
  void Reset() { *this = Utf8Check(); }
  // False for good once something was wrong, until Reset().
  bool Feed(std::string_view bytes);
  // Whether the text may end here: not within a character.
  bool AtBoundary() const { return valid_ && left_ == 0; }

 private:
  bool Start(uint8_t lead);

  bool valid_ = true;
  int left_ = 0;  // continuation bytes to come
  // What the next one may be.
  uint8_t low_ = 0x80;
  uint8_t high_ = 0xbf;
};

bool IsUtf8(std::string_view text);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_UTF8_H_
