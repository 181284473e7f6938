#include "database/redis/value.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "database/redis/error_reply.h"
#include "runtime/switch/abseil_text.h"

namespace grove::redis {
namespace {

template <typename Number>
std::optional<Number> Parsed(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Value Value::OfInteger(int64_t number) {
  Value value;
  value.kind_ = Kind::kInteger;
  value.integer_ = number;
  return value;
}

Value Value::OfDouble(double number) {
  Value value;
  value.kind_ = Kind::kDouble;
  value.double_ = number;
  return value;
}

Value Value::OfBoolean(bool truth) {
  Value value;
  value.kind_ = Kind::kBoolean;
  value.integer_ = truth ? 1 : 0;
  return value;
}

std::string_view Value::KindName() const {
  switch (kind_) {
    case Kind::kNull:
      return "null";
    case Kind::kString:
      return "string";
    case Kind::kStatus:
      return "status";
    case Kind::kError:
      return "error";
    case Kind::kInteger:
      return "integer";
    case Kind::kDouble:
      return "double";
    case Kind::kBoolean:
      return "boolean";
    case Kind::kBigNumber:
      return "big number";
    case Kind::kArray:
      return "array";
    case Kind::kSet:
      return "set";
    case Kind::kMap:
      return "map";
    case Kind::kPush:
      return "push";
  }
  return "unknown";
}

absl::Status Value::status() const {
  return error() ? ErrorReplyStatus(text_) : absl::OkStatus();
}

absl::Status Value::Unlike(std::string_view wanted) const {
  if (error()) return status();
  if (null()) return absl::NotFoundError("redis: null");
  return absl::FailedPreconditionError(
      StrCat("redis: the reply is of kind ", KindName(), ", not ", wanted));
}

absl::StatusOr<std::string> Value::String() const& {
  return Value(*this).String();
}

absl::StatusOr<std::string> Value::String() && {
  switch (kind_) {
    case Kind::kString:
    case Kind::kStatus:
    case Kind::kBigNumber:
      return std::move(text_);
    case Kind::kInteger:
      return StrCat(integer_);
    case Kind::kDouble: {
      char digits[32];
      return std::string(digits, std::to_chars(digits, digits + sizeof(digits), double_).ptr);
    }
    default:
      return Unlike("string");
  }
}

absl::StatusOr<int64_t> Value::Integer() const {
  if (kind_ == Kind::kInteger) return integer_;
  if (kind_ == Kind::kString || kind_ == Kind::kStatus || kind_ == Kind::kBigNumber) {
    if (const auto number = Parsed<int64_t>(text_)) return *number;
    return absl::FailedPreconditionError("redis: the reply is a text that is no 64-bit integer");
  }
  return Unlike("integer");
}

absl::StatusOr<double> Value::Double() const {
  if (kind_ == Kind::kDouble) return double_;
  if (kind_ == Kind::kInteger) return static_cast<double>(integer_);
  if (kind_ == Kind::kString || kind_ == Kind::kStatus || kind_ == Kind::kBigNumber) {
    if (const auto number = Parsed<double>(text_)) return *number;
    return absl::FailedPreconditionError("redis: the reply is a text that is no number");
  }
  return Unlike("double");
}

absl::StatusOr<bool> Value::Boolean() const {
  if (kind_ == Kind::kBoolean) return integer_ != 0;
  if (kind_ == Kind::kInteger && (integer_ == 0 || integer_ == 1)) return integer_ == 1;
  if (kind_ == Kind::kStatus && text_ == "OK") return true;
  return Unlike("boolean");
}

absl::StatusOr<std::vector<std::string>> Value::Strings() const {
  if (kind_ != Kind::kArray && kind_ != Kind::kSet) return Unlike("array");
  std::vector<std::string> strings;
  strings.reserve(elements_.size());
  for (const Value& element : elements_) {
    absl::StatusOr<std::string> text = element.String();
    if (!text.ok() && !element.null()) return text.status();
    strings.push_back(text.ok() ? *std::move(text) : "");
  }
  return strings;
}

const Value* Value::Find(std::string_view key) const {
  if (kind_ != Kind::kMap && kind_ != Kind::kArray) return nullptr;
  for (size_t at = 0; at + 1 < elements_.size(); at += 2) {
    if (elements_[at].text_ == key) return &elements_[at + 1];
  }
  return nullptr;
}

}  // namespace grove::redis
