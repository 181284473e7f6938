#include "database/redis/reply_parser.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::redis {
namespace {

// Of what is no text of a told length: a number, a status, an error. Redis cuts its own.
constexpr size_t kLineBytesMax = size_t{64} << 10;
// What an aggregate gets before its elements have come: its count is a claim.
constexpr uint64_t kReservedMax = 1024;

template <typename Number>
bool Read(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool ReadDouble(std::string_view text, double& number) {
  if (text == "nan" || text == "-nan") {
    number = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  return Read(text, number);  // "inf" and "-inf", too
}

std::optional<Value::Kind> AggregateKind(char type) {
  switch (type) {
    case '*':
      return Value::Kind::kArray;
    case '~':
      return Value::Kind::kSet;
    case '>':
      return Value::Kind::kPush;
    case '%':
    case '|':
      return Value::Kind::kMap;
    default:
      return std::nullopt;
  }
}

}  // namespace

void ReplyParser::Feed(std::string_view bytes) {
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  } else if (begin_ > buffer_.size() / 2) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_.append(bytes);
}

ReplyParser::Step ReplyParser::Bad(std::string_view what) {
  error_ = absl::UnavailableError(StrCat("redis: the server's bytes are no RESP: ", what));
  return Step::kFailed;
}

ReplyParser::Step ReplyParser::TooLarge() {
  error_ = absl::ResourceExhaustedError(
      StrCat("redis: a reply is larger than ", limits_.bytes_max, " bytes"));
  return Step::kFailed;
}

absl::StatusOr<std::optional<Value>> ReplyParser::Next() {
  if (!error_.ok()) return error_;
  for (;;) {
    Value value;
    switch (Take(value)) {
      case Step::kNeedMore:
        return std::nullopt;
      case Step::kFailed:
        return error_;
      case Step::kOpened:
        continue;
      case Step::kValue:
        if (!Close(value)) continue;
        bytes_ = 0;
        return value;
    }
  }
}

bool ReplyParser::Close(Value& value) {
  while (!open_.empty()) {
    Open& around = open_.back();
    around.elements.push_back(std::move(value));
    if (--around.left > 0) return false;
    const bool attribute = around.attribute;
    value = Value(around.kind, std::move(around.elements));
    open_.pop_back();
    // An attribute stands before the value that it is of, and is no element itself.
    if (attribute) return false;
  }
  return true;
}

ReplyParser::Step ReplyParser::Take(Value& value) {
  const std::string_view left = std::string_view(buffer_).substr(begin_);
  const size_t end = left.find('\n', scanned_);
  if (end == std::string_view::npos) {
    scanned_ = left.size();
    return scanned_ > kLineBytesMax ? Bad("a line without an end") : Step::kNeedMore;
  }
  scanned_ = end;  // found again at once, should its text be missing
  if (end < 2 || left[end - 1] != '\r') return Bad("a line that does not end in CR LF");
  if (end > kLineBytesMax) return Bad("a line without an end");
  const char type = left[0];
  const std::string_view line = left.substr(1, end - 2);
  Step step = Step::kValue;
  if (type == '$' || type == '=' || type == '!') {
    step = TakeText(type, line, end + 1, value);
  } else if (AggregateKind(type).has_value()) {
    step = TakeAggregate(type, line, end + 1, value);
  } else if (TakeScalar(type, line, value)) {
    begin_ += end + 1;
  } else {
    return Bad("a value of an unknown type, or a number that is none");
  }
  if (step == Step::kNeedMore || step == Step::kFailed) return step;
  scanned_ = 0;
  bytes_ += sizeof(Value) + value.text().size();
  return bytes_ > limits_.bytes_max ? TooLarge() : step;
}

ReplyParser::Step ReplyParser::TakeText(char type, std::string_view line, size_t line_bytes,
                                        Value& value) {
  if (type == '$' && line == "-1") {  // RESP2's null
    begin_ += line_bytes;
    return Step::kValue;
  }
  size_t length = 0;
  if (!Read(line, length)) return Bad("a length that is none");
  if (length > limits_.bytes_max || bytes_ + length > limits_.bytes_max) return TooLarge();
  if (buffered() < line_bytes + length + 2) return Step::kNeedMore;
  std::string_view text = std::string_view(buffer_).substr(begin_ + line_bytes, length + 2);
  if (!text.ends_with("\r\n")) return Bad("a text longer than it was said to be");
  text.remove_suffix(2);
  if (type == '=') {  // "txt:…", "mkd:…"
    if (text.size() < 4 || text[3] != ':') return Bad("a verbatim text without a format");
    text.remove_prefix(4);
  }
  value = Value(type == '!' ? Value::Kind::kError : Value::Kind::kString, std::string(text));
  begin_ += line_bytes + length + 2;
  return Step::kValue;
}

ReplyParser::Step ReplyParser::TakeAggregate(char type, std::string_view line, size_t line_bytes,
                                             Value& value) {
  if (type == '*' && line == "-1") {
    begin_ += line_bytes;
    return Step::kValue;
  }
  uint64_t count = 0;
  if (!Read(line, count)) return Bad("a count that is none");
  if (count > limits_.bytes_max / sizeof(Value)) return TooLarge();
  const bool attribute = type == '|';
  if (type == '%' || attribute) count *= 2;
  begin_ += line_bytes;
  const Value::Kind kind = *AggregateKind(type);
  if (count == 0) {
    value = Value(kind, std::vector<Value>{});
    return attribute ? Step::kOpened : Step::kValue;
  }
  if (open_.size() >= limits_.depth_max) {
    error_ = absl::ResourceExhaustedError(
        StrCat("redis: a reply is nested deeper than ", limits_.depth_max));
    return Step::kFailed;
  }
  open_.push_back({.kind = kind, .left = count, .attribute = attribute, .elements = {}});
  open_.back().elements.reserve(std::min(count, kReservedMax));
  return Step::kOpened;
}

bool ReplyParser::TakeScalar(char type, std::string_view line, Value& value) {
  int64_t integer = 0;
  double number = 0;
  switch (type) {
    case '+':
      value = Value(Value::Kind::kStatus, std::string(line));
      return true;
    case '-':
      value = Value(Value::Kind::kError, std::string(line));
      return true;
    case '(':
      value = Value(Value::Kind::kBigNumber, std::string(line));
      return true;
    case ':':
      if (line.starts_with('+')) line.remove_prefix(1);
      value = Value::OfInteger(Read(line, integer) ? integer : 0);
      return Read(line, integer);
    case ',':
      value = Value::OfDouble(ReadDouble(line, number) ? number : 0);
      return ReadDouble(line, number);
    case '#':
      value = Value::OfBoolean(line == "t");
      return line == "t" || line == "f";
    case '_':
      return line.empty();
    default:
      return false;
  }
}

}  // namespace grove::redis
