// ReplyParser: the bytes of a Redis connection as Values (RESP2 and RESP3).
//
// Told bytes in any pieces, it yields whole replies. Keeps what is unfinished, so that no byte is
// looked at again but the line of a text that is still to come. Attributes are dropped. Bounded by
// bytes and by depth, whatever the counts in the bytes claim. Pure: no I/O, no recursion.
#ifndef GROVE_DATABASE_REDIS_REPLY_PARSER_H_
#define GROVE_DATABASE_REDIS_REPLY_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "database/redis/value.h"

namespace grove::redis {

struct ReplyLimits {
  // Of one reply as it stands in memory: its texts, and some 90 bytes for each Value in it.
  size_t bytes_max = size_t{64} << 20;
  // Of aggregates in aggregates. Redis itself answers no deeper than 5 or so; scripts may.
  size_t depth_max = 32;
};

class ReplyParser {
 public:
  explicit ReplyParser(const ReplyLimits& limits = {}) : limits_(limits) {}

  void Feed(std::string_view bytes);
  // The next whole reply; nothing: more bytes are wanted. kUnavailable: the bytes are no RESP;
  // kResourceExhausted: the reply is over a limit. After an error every call gives it again, since
  // nobody knows where the next reply begins.
  absl::StatusOr<std::optional<Value>> Next();
  // Fed, and not yet part of a reply.
  size_t buffered() const { return buffer_.size() - begin_; }

 private:
  // An aggregate of which elements are still to come.
  struct Open {
    Value::Kind kind;
    uint64_t left;
    bool attribute;
    std::vector<Value> elements;
  };
  enum class Step { kValue, kOpened, kNeedMore, kFailed };

  // One value or the beginning of an aggregate, if it is there.
  Step Take(Value& value);
  Step TakeText(char type, std::string_view line, size_t line_bytes, Value& value);
  Step TakeAggregate(char type, std::string_view line, size_t line_bytes, Value& value);
  bool TakeScalar(char type, std::string_view line, Value& value);
  Step Bad(std::string_view what);
  Step TooLarge();
  // Hands a whole value to the aggregate around it; true if it is a whole reply.
  bool Close(Value& value);

  const ReplyLimits limits_;
  std::string buffer_;
  size_t begin_ = 0;    // of what was not taken yet
  size_t scanned_ = 0;  // from there on, without the end of a line
  std::vector<Open> open_;
  size_t bytes_ = 0;  // of the reply under way
  absl::Status error_;
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_REPLY_PARSER_H_
