// RequestParser: the head of an HTTP/1.1 request, from bytes (RFC 9112).
//
// Incremental: give it all bytes since the request's first one, again with more until it is done.
// Zero-copy: what it yields are views into those bytes. Lines that are complete are not looked at
// again, and whatever the split, the outcome is that of the whole. Reads no socket, allocates
// nothing once its vector has grown.
#ifndef GROVE_HTTP_MESSAGE_PARSER_H_
#define GROVE_HTTP_MESSAGE_PARSER_H_

#include <cstddef>
#include <string_view>
#include <vector>

#include "http/message/field.h"
#include "http/message/field_line.h"
#include "http/message/framing.h"
#include "http/message/target.h"

namespace grove::http {

// Without their line ends.
inline constexpr size_t kRequestLineBytesMax = 8 * 1024;
inline constexpr size_t kFieldLineBytesMax = 8 * 1024;
// All field lines and the empty one.
inline constexpr size_t kFieldsBytesMax = 64 * 1024;
inline constexpr size_t kFieldsMax = 100;
// Before a request line; some old clients end a body with one too many (RFC 9112, 2.2).
inline constexpr int kEmptyLinesMax = 4;

struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::string_view path;
  std::string_view query;
  std::string_view scheme;  // of an absolute target, as sent; else empty
  std::string_view host;
  int version_minor = 1;
  std::vector<Field> fields;
};

class RequestParser {
 public:
  enum class Result { kNeedMore, kDone, kRefused };

  explicit RequestParser(TargetText target_text = TargetText::kUri) : target_text_(target_text) {
    head_.fields.reserve(16);
  }

  // For the next request.
  void Reset();
  // `bytes` begins where it began before; it may have moved.
  Result Parse(std::string_view bytes);

  // After kDone; valid while the bytes stand.
  const RequestHead& head() const { return head_; }
  const Framing& framing() const { return framing_; }
  size_t head_bytes() const { return line_start_; }
  // After kRefused.
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class Stage { kRequestLine, kFields, kDone, kRefused };

  // Of the bytes that a line is looked for in: whether its limit bounds them, so that no more of
  // them can make it whole.
  enum class Window { kOpen, kFull };

  Result Refuse(Refusal refusal);
  // The line has not ended: too long in a full window.
  Result Incomplete(Window window, Refusal too_long);
  void Rebase(const char* base);
  Result ParseRequestLine(std::string_view bytes);
  Result ParseVersion(const char* version, const char* end, Window window);
  Result ParseFields(std::string_view bytes);
  // At a line that is no field.
  Result EndFields(const FieldLine& last, Window window);
  Result Complete();

  const TargetText target_text_;
  Stage stage_ = Stage::kRequestLine;
  const char* base_ = nullptr;
  size_t line_start_ = 0;
  size_t fields_start_ = 0;
  int empty_lines_ = 0;
  RequestHead head_;
  Framing framing_;
  Refusal refusal_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_PARSER_H_
