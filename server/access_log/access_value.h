// AccessKey: what an access line can say about a request, and how each of it is found.
//
// The one table of them: the format string, JSON and the documents go by it. Pure.
#ifndef GROVE_SERVER_ACCESS_LOG_ACCESS_VALUE_H_
#define GROVE_SERVER_ACCESS_LOG_ACCESS_VALUE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/http/handler/access_log.h"

namespace grove::access_log {

// A text, a whole number, seconds, or whether.
using AccessValue = std::variant<std::string_view, uint64_t, double, bool>;

enum class AccessValueKind { kText, kWhole, kSeconds, kFlag };

// An entry with what its texts need while a line is made of them.
struct AccessLine {
  const http::AccessEntry& entry;
  absl::Time now;
  // Of the values that are nowhere as a text.
  mutable std::string scratch;
};

struct AccessKey {
  std::string_view name;
  AccessValueKind kind;
  // An empty text: there is none. The views live until the next call with the same line.
  AccessValue (*value)(const AccessLine& line);
};

absl::Span<const AccessKey> AccessKeys();
// Null if there is none of that name.
const AccessKey* FindAccessKey(std::string_view name);

}  // namespace grove::access_log

#endif  // GROVE_SERVER_ACCESS_LOG_ACCESS_VALUE_H_
