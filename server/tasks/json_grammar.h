// CheckJson: whether a text is JSON, by the grammar of RFC 8259 and nothing else.
//
// It makes nothing of what it reads: a number may be too large for any machine, and an escape half
// a surrogate pair; what to do with those is for whoever uses the value (RFC 8259, 6 and 8.2).
// UTF-8 (8.1); a byte order mark in front is passed over. Linear, without recursion. Pure.
#ifndef GROVE_SERVER_TASKS_JSON_GRAMMAR_H_
#define GROVE_SERVER_TASKS_JSON_GRAMMAR_H_

#include <string_view>

#include "absl/status/status.h"

namespace grove::tasks {

// Arrays and objects within each other (RFC 8259, 9, allows a limit): who parses a text by
// recursion is safe with what was let in.
inline constexpr int kJsonDepthMax = 1000;

// kInvalidArgument: "at byte 7: a ',' or ']' is expected".
absl::Status CheckJson(std::string_view text);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_JSON_GRAMMAR_H_
