// Conditions: what a request's If-… fields make of a representation that is there (RFC 9110, 13).
//
// For GET and HEAD of something with a strong ETag and a modification time. Pure.
#ifndef GROVE_HTTP_MESSAGE_CONDITIONS_H_
#define GROVE_HTTP_MESSAGE_CONDITIONS_H_

#include <cstdint>
#include <ctime>
#include <span>
#include <string_view>

#include "http/message/field.h"

namespace grove::http {

struct Validators {
  std::string_view etag;  // strong, with its quotes
  std::time_t last_modified = 0;
};

enum class Verdict : uint8_t {
  kProceed,
  kNotModified,  // 304
  kFailed,       // 412
};

// In the order of precedence of RFC 9110, 13.2.2; what is malformed is ignored.
Verdict JudgeConditions(std::span<const Field> fields, const Validators& current, std::time_t now);

// Whether a Range field may be served: there is no If-Range, or it names what is current (RFC 9110,
// 13.1.5). A date is good enough only if nothing can have changed within its second since.
bool RangeStands(std::span<const Field> fields, const Validators& current, std::time_t now);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_CONDITIONS_H_
