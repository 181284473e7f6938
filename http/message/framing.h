// Framing: how a request's body is delimited, and what else its fields say to the connection.
//
// It takes the fields one by one while the head is parsed and decides at its end (RFC 9112, 6.3).
// A request whose end could be seen differently by another recipient is refused. Pure.
#ifndef GROVE_HTTP_MESSAGE_FRAMING_H_
#define GROVE_HTTP_MESSAGE_FRAMING_H_

#include <cstdint>
#include <string_view>

#include "http/message/field.h"
#include "http/message/refusal.h"

namespace grove::http {

enum class BodyKind : uint8_t { kNone, kLength, kChunked };

class Framing {
 public:
  void Reset() { *this = Framing(); }

  // `index`: the field's place, for host_index().
  Refusal Note(const Field& field, int index) {
    return MayMatter(field.name) ? NoteNamed(field, index) : Refusal();
  }
  // After the last field.
  Refusal Decide(int version_minor);

  BodyKind body() const { return body_; }
  uint64_t content_length() const { return content_length_; }
  bool keep_alive() const { return keep_alive_; }
  bool expect_continue() const { return expect_continue_; }
  // -1 if there is none.
  int host_index() const { return host_index_; }

 private:
  // Length and first letter rule most names out, without a call.
  static bool MayMatter(std::string_view name) {
    const char first = static_cast<char>(name.front() | 0x20);
    switch (name.size()) {
      case 4:
        return first == 'h';
      case 6:
        return first == 'e';
      case 10:
      case 12:
      case 14:
        return first == 'c';
      case 17:
        return first == 't';
      default:
        return false;
    }
  }
  Refusal NoteNamed(const Field& field, int index);
  Refusal NoteContentLength(std::string_view value);
  Refusal NoteTransferEncoding(std::string_view value);
  void NoteConnection(std::string_view value);

  uint64_t content_length_ = 0;
  int host_index_ = -1;
  bool has_content_length_ = false;
  bool has_transfer_encoding_ = false;
  bool chunked_ = false;
  bool chunked_not_last_ = false;
  bool unknown_coding_ = false;
  bool connection_close_ = false;
  bool connection_keep_alive_ = false;
  bool has_expect_ = false;
  bool expects_other_ = false;
  bool has_content_type_ = false;
  // Decided.
  BodyKind body_ = BodyKind::kNone;
  bool keep_alive_ = true;
  bool expect_continue_ = false;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_FRAMING_H_
