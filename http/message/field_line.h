// FieldLine: one line of a header or trailer section, `name ":" OWS value OWS CRLF`.
//
// Pure and zero-copy. What it says about a line does not change when more bytes follow.
#ifndef GROVE_HTTP_MESSAGE_FIELD_LINE_H_
#define GROVE_HTTP_MESSAGE_FIELD_LINE_H_

#include "http/message/field.h"
#include "http/message/scan.h"

namespace grove::http {

struct FieldLine {
  enum class Kind {
    kField,
    kEnd,       // the empty line
    kNeedMore,  // `end` came before the line's end
    kBad,
  };
  Kind kind;
  const char* next = nullptr;  // behind the line, for kField and kEnd
};

// Fills `field` if it finds one: in its place, since copying it would read in pairs what was
// written in words, which stalls.
[[gnu::always_inline]] inline FieldLine ParseFieldLine(const char* line, const char* end,
                                                       Field& field) {
  using Kind = FieldLine::Kind;
  if (line == end) return {Kind::kNeedMore};
  if (*line == '\r') {
    if (line + 1 == end) return {Kind::kNeedMore};
    return line[1] == '\n' ? FieldLine{Kind::kEnd, line + 2} : FieldLine{Kind::kBad};
  }
  // No blank before the colon and no folded line: both have served to smuggle (RFC 9112, 5.1, 5.2).
  const char* colon = SkipToken(line, end);
  if (colon == end) return {Kind::kNeedMore};
  if (*colon != ':' || colon == line) return {Kind::kBad};
  const char* value = colon + 1;
  while (value != end && IsBlank(*value)) ++value;
  const char* stop = SkipValue(value, end);
  if (stop == end) return {Kind::kNeedMore};
  if (*stop != '\r') return {Kind::kBad};
  if (stop + 1 == end) return {Kind::kNeedMore};
  if (stop[1] != '\n') return {Kind::kBad};
  const char* last = stop;
  while (last != value && IsBlank(last[-1])) --last;
  field.name = std::string_view(line, colon - line);
  field.value = std::string_view(value, last - value);
  return {Kind::kField, stop + 2};
}

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_FIELD_LINE_H_
