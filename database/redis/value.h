// Value: what a Redis server answers (RESP3), with typed getters.
//
// A getter takes what stands for its type without a loss: Integer() an integer or a text that is
// one. An error reply yields its own Status from every getter, null kNotFound, any other kind
// kFailedPrecondition with what it is. A value; any thread.
#ifndef GROVE_DATABASE_REDIS_VALUE_H_
#define GROVE_DATABASE_REDIS_VALUE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::redis {

class Value {
 public:
  enum class Kind : uint8_t {
    kNull,
    kString,
    kStatus,  // "OK", "QUEUED": what RESP calls a simple string
    kError,
    kInteger,
    kDouble,
    kBoolean,
    kBigNumber,  // its digits are the text
    kArray,
    kSet,
    kMap,  // elements(): key, value, key, value
    kPush,
  };

  Value() = default;  // null
  Value(Kind kind, std::string text) : kind_(kind), text_(std::move(text)) {}
  Value(Kind kind, std::vector<Value> elements) : kind_(kind), elements_(std::move(elements)) {}
  static Value OfInteger(int64_t number);
  static Value OfDouble(double number);
  static Value OfBoolean(bool truth);

  Kind kind() const { return kind_; }
  bool null() const { return kind_ == Kind::kNull; }
  bool error() const { return kind_ == Kind::kError; }
  // OK unless it is an error (error_reply.h).
  absl::Status status() const;

  // Of a string, a status, an error or a big number as it came; empty else.
  std::string_view text() const { return text_; }
  // Of an array, a set, a push or a map; empty else.
  std::span<const Value> elements() const { return elements_; }
  std::vector<Value> TakeElements() && { return std::move(elements_); }

  // A string, a status or a big number; numbers as they are written.
  absl::StatusOr<std::string> String() const&;
  absl::StatusOr<std::string> String() &&;
  absl::StatusOr<int64_t> Integer() const;
  absl::StatusOr<double> Double() const;
  // A boolean, the integers 0 and 1, or the status OK.
  absl::StatusOr<bool> Boolean() const;
  // Of an array or a set of texts; a null in it is an empty one.
  absl::StatusOr<std::vector<std::string>> Strings() const;
  // Of a map, or an array of pairs as HGETALL of a script gives it: the value of `key`, null if
  // there is none.
  const Value* Find(std::string_view key) const;

  // "integer", "map": for messages.
  std::string_view KindName() const;

  friend bool operator==(const Value& a, const Value& b) = default;

 private:
  absl::Status Unlike(std::string_view wanted) const;

  Kind kind_ = Kind::kNull;
  int64_t integer_ = 0;  // of a boolean, too
  double double_ = 0;
  std::string text_;
  std::vector<Value> elements_;
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_VALUE_H_
