#include "server/tasks/json_grammar.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"

namespace grove::tasks {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool IsDigit(int c) {
  return c >= '0' && c <= '9';
}

bool IsHexDigit(int c) {
  return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

// What stands at `at_`, piece by piece. A function that reads one returns null, or what is expected
// instead, at `at_`.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    if (text.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }

  absl::Status Read() {
    const char* const wrong = ReadText();
    if (wrong == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("at byte ", at_, ": ", wrong));
  }

 private:
  // At the end: no byte.
  int peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? static_cast<uint8_t>(text_[at_ + ahead]) : -1;
  }

  void SkipBlanks() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  const char* ReadText() {
    do {
      if (const char* wrong = ReadValue(); wrong != nullptr) return wrong;
    } while (!ended_);
    return nullptr;
  }

  // A value's first piece: all of it, or the '[' or '{' that it begins with.
  const char* ReadValue() {
    SkipBlanks();
    switch (peek()) {
      case '[':
        return Open(']');
      case '{':
        return Open('}');
      case '"':
        return ReadString() ? FollowValue() : "a string is malformed";
      case 't':
        return ReadWord("true") ? FollowValue() : "a value is expected";
      case 'f':
        return ReadWord("false") ? FollowValue() : "a value is expected";
      case 'n':
        return ReadWord("null") ? FollowValue() : "a value is expected";
      default:
        if (peek() != '-' && !IsDigit(peek())) return "a value is expected";
        return ReadNumber() ? FollowValue() : "a number is malformed";
    }
  }

  const char* Open(char closing) {
    if (closing_.size() == static_cast<size_t>(kJsonDepthMax)) return "it nests too deep";
    ++at_;
    SkipBlanks();
    if (peek() == closing) {
      ++at_;
      return FollowValue();
    }
    closing_.push_back(closing);
    return closing == '}' ? ReadName() : nullptr;
  }

  // Up to where the next value must begin, or the end.
  const char* FollowValue() {
    for (;;) {
      SkipBlanks();
      if (closing_.empty()) {
        ended_ = true;
        return at_ == text_.size() ? nullptr : "the end is expected";
      }
      const char closing = closing_.back();
      if (peek() == ',') {
        ++at_;
        return closing == '}' ? ReadName() : nullptr;
      }
      if (peek() != closing)
        return closing == '}' ? "a ',' or '}' is expected" : "a ',' or ']' is expected";
      ++at_;
      closing_.pop_back();
    }
  }

  const char* ReadName() {
    SkipBlanks();
    if (peek() != '"') return "a name in quotes is expected";
    if (!ReadString()) return "a name is malformed";
    SkipBlanks();
    if (peek() != ':') return "a ':' is expected";
    ++at_;
    return nullptr;
  }

  bool ReadWord(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  bool ReadDigits() {
    if (!IsDigit(peek())) return false;
    while (IsDigit(peek())) ++at_;
    return true;
  }

  // [ minus ] int [ frac ] [ exp ] (RFC 8259, 6).
  bool ReadNumber() {
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!ReadDigits()) {
      return false;
    }
    if (peek() == '.') {
      ++at_;
      if (!ReadDigits()) return false;
    }
    if ((peek() | 0x20) != 'e') return true;
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    return ReadDigits();
  }

  bool ReadString() {
    ++at_;
    for (;;) {
      const int c = peek();
      if (c < 0x20) return false;  // or the end
      if (c == '"') break;
      if (c == '\\') {
        if (!ReadEscape()) return false;
      } else if (c < 0x80) {
        ++at_;
      } else if (!ReadSequence(c)) {
        return false;
      }
    }
    ++at_;
    return true;
  }

  bool ReadEscape() {
    const int c = peek(1);
    if (c == 'u') {
      for (size_t i = 2; i < 6; ++i) {
        if (!IsHexDigit(peek(i))) return false;
      }
      at_ += 6;
      return true;
    }
    at_ += 2;
    return c > 0 &&
           std::string_view("\"\\/bfnrt").find(static_cast<char>(c)) != std::string_view::npos;
  }

  // Of UTF-8 (RFC 3629, 4): by the first byte, how many follow and what the next one may be.
  bool ReadSequence(int first) {
    const size_t following = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    const int low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const int high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0xc2 || first > 0xf4 || peek(1) < low || peek(1) > high) return false;
    for (size_t i = 2; i <= following; ++i) {
      if (peek(i) < 0x80 || peek(i) > 0xbf) return false;
    }
    at_ += 1 + following;
    return true;
  }

  const std::string_view text_;
  size_t at_ = 0;
  bool ended_ = false;
  std::vector<char> closing_;  // what closes each array and object that is open
};

}  // namespace

absl::Status CheckJson(std::string_view text) {
  return Reader(text).Read();
}

}  // namespace grove::tasks
