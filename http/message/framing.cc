#include "http/message/framing.h"

#include <algorithm>
#include <limits>

#include "http/message/scan.h"
#include "http/message/target.h"

namespace grove::http {
namespace {

using enum RefusalKind;

// Calls `visit` with each element of a comma-separated list, blanks trimmed; empty ones too.
template <typename Visit>
void ForEachElement(std::string_view list, Visit visit) {
  while (true) {
    const size_t comma = list.find(',');
    visit(TrimBlanks(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// Most clients write names like this; the loop over letters is for the others.
[[gnu::always_inline]] inline bool IsNamed(const Field& field, std::string_view usual) {
  return field.name == usual || EqualsIgnoreCase(field.name, usual);
}

}  // namespace

Refusal Framing::NoteNamed(const Field& field, int index) {
  switch (field.name.size()) {
    case 4:
      if (!IsNamed(field, "Host")) break;
      if (host_index_ >= 0) return {400, kHost, "more than one Host field"};
      if (!IsValidHost(field.value)) return {400, kHost, "malformed Host"};
      host_index_ = index;
      break;
    case 6:
      if (!IsNamed(field, "Expect")) break;
      has_expect_ = true;
      if (!EqualsIgnoreCase(field.value, "100-continue")) expects_other_ = true;
      break;
    case 10:
      if (IsNamed(field, "Connection")) NoteConnection(field.value);
      break;
    case 12:
      if (!IsNamed(field, "Content-Type")) break;
      if (has_content_type_) return {400, kField, "more than one Content-Type field"};
      has_content_type_ = true;
      break;
    case 14:
      if (IsNamed(field, "Content-Length")) return NoteContentLength(field.value);
      break;
    case 17:
      if (IsNamed(field, "Transfer-Encoding")) {
        return NoteTransferEncoding(field.value);
      }
      break;
    default:
      break;
  }
  return {};
}

Refusal Framing::NoteContentLength(std::string_view value) {
  if (has_content_length_) return {400, kFraming, "more than one Content-Length field"};
  has_content_length_ = true;
  if (value.empty() || !std::all_of(value.begin(), value.end(), IsDigit)) {
    return {400, kFraming, "malformed Content-Length"};
  }
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  for (const char c : value) {
    const uint64_t digit = c - '0';
    if (content_length_ > (kMax - digit) / 10)
      return {413, kTooLarge, "Content-Length over any limit"};
    content_length_ = content_length_ * 10 + digit;
  }
  return {};
}

Refusal Framing::NoteTransferEncoding(std::string_view value) {
  has_transfer_encoding_ = true;
  bool malformed = false;
  ForEachElement(value, [&](std::string_view coding) {
    if (chunked_) chunked_not_last_ = true;
    const size_t name_end = std::min(coding.find_first_of("; \t"), coding.size());
    const std::string_view name = coding.substr(0, name_end);
    const bool is_chunked = EqualsIgnoreCase(name, "chunked");
    // chunked has no parameters (RFC 9112, 7.1)
    if (!IsToken(name) || (is_chunked && name.size() != coding.size())) {
      malformed = true;
    } else if (!is_chunked) {
      unknown_coding_ = true;
    } else {
      chunked_ = true;
    }
  });
  return malformed ? Refusal{400, kFraming, "malformed Transfer-Encoding"} : Refusal{};
}

void Framing::NoteConnection(std::string_view value) {
  ForEachElement(value, [this](std::string_view option) {
    if (EqualsIgnoreCase(option, "close")) connection_close_ = true;
    if (EqualsIgnoreCase(option, "keep-alive")) connection_keep_alive_ = true;
  });
}

Refusal Framing::Decide(int version_minor) {
  if (version_minor >= 1 && host_index_ < 0) return {400, kHost, "no Host field"};
  if (has_transfer_encoding_) {
    if (version_minor == 0) return {400, kFraming, "Transfer-Encoding in HTTP/1.0"};
    if (has_content_length_) return {400, kFraming, "both Content-Length and Transfer-Encoding"};
    if (unknown_coding_) return {501, kFraming, "transfer coding other than chunked"};
    if (chunked_not_last_) return {400, kFraming, "chunked is not the last transfer coding"};
    body_ = BodyKind::kChunked;
  } else if (content_length_ > 0) {
    body_ = BodyKind::kLength;
  }
  if (version_minor >= 1 && expects_other_)
    return {417, kExpectation, "expectation other than 100-continue"};
  expect_continue_ = version_minor >= 1 && has_expect_ && body_ != BodyKind::kNone;
  keep_alive_ = !connection_close_ && (version_minor >= 1 || connection_keep_alive_);
  return {};
}

}  // namespace grove::http
