// How values of rows become C++ values, from both forms that the server sends.
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "database/postgres/result.h"
#include "database/postgres/wire_numbers.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

std::string TypeText(TypeId type) {
  switch (type) {
    case type_id::kBool:
      return "bool";
    case type_id::kBytea:
      return "bytea";
    case type_id::kInt2:
      return "int2";
    case type_id::kInt4:
      return "int4";
    case type_id::kInt8:
      return "int8";
    case type_id::kText:
      return "text";
    case type_id::kFloat4:
      return "float4";
    case type_id::kFloat8:
      return "float8";
    case type_id::kNumeric:
      return "numeric";
    case type_id::kTimestamp:
      return "timestamp";
    case type_id::kTimestampTz:
      return "timestamptz";
    default:
      return absl::StrFormat("type %d", type);
  }
}

// The value itself stands in no error: it may be a secret.
absl::Status DecodeError(const Field& field, std::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrFormat("column \"%s\" (%s, %s): not to be read as %s",
                                                    field.column, TypeText(field.type),
                                                    field.binary ? "binary" : "text", wanted));
}

template <typename Unsigned>
std::optional<Unsigned> Big(const Field& field) {
  if (field.bytes.size() != sizeof(Unsigned)) return std::nullopt;
  return LoadBig<Unsigned>(field.bytes.data());
}

std::optional<int64_t> BinaryInteger(const Field& field) {
  switch (field.type) {
    case type_id::kInt2:
      if (const auto bits = Big<uint16_t>(field)) return static_cast<int16_t>(*bits);
      break;
    case type_id::kInt4:
      if (const auto bits = Big<uint32_t>(field)) return static_cast<int32_t>(*bits);
      break;
    case type_id::kOid:
      if (const auto bits = Big<uint32_t>(field)) return *bits;
      break;
    case type_id::kInt8:
      if (const auto bits = Big<uint64_t>(field)) return static_cast<int64_t>(*bits);
      break;
    default:
      break;
  }
  return std::nullopt;
}

template <typename Integer>
absl::Status DecodeInteger(const Field& field, Integer& value) {
  if (field.null) return NullError(field);
  std::optional<int64_t> wide;
  if (field.binary) {
    wide = BinaryInteger(field);
  } else {
    int64_t parsed = 0;
    const char* const end = field.bytes.data() + field.bytes.size();
    const auto [stop, error] = std::from_chars(field.bytes.data(), end, parsed);
    if (error == std::errc() && stop == end) wide = parsed;
  }
  if (!wide.has_value() || *wide < std::numeric_limits<Integer>::min() ||
      *wide > std::numeric_limits<Integer>::max()) {
    return DecodeError(field, absl::StrFormat("an integer of %d bits", sizeof(Integer) * 8));
  }
  value = static_cast<Integer>(*wide);
  return absl::OkStatus();
}

// Digits of a text that is taken apart from its front.
class Digits {
 public:
  explicit Digits(std::string_view text) : left_(text) {}
  // The number up to the next byte that is no digit.
  std::optional<int64_t> Number() {
    int64_t number = 0;
    const auto [stop, error] = std::from_chars(left_.data(), left_.data() + left_.size(), number);
    if (error != std::errc() || left_.empty() || left_[0] == '-') return std::nullopt;
    left_.remove_prefix(static_cast<size_t>(stop - left_.data()));
    return number;
  }
  bool Skip(char byte) {
    if (left_.empty() || left_[0] != byte) return false;
    left_.remove_prefix(1);
    return true;
  }
  // ".25" as nanoseconds.
  absl::Duration Fraction() {
    absl::Duration fraction;
    if (!Skip('.')) return fraction;
    for (int64_t unit = 100'000'000; !left_.empty() && left_[0] >= '0' && left_[0] <= '9';
         unit /= 10) {
      fraction += absl::Nanoseconds(unit * (left_[0] - '0'));
      left_.remove_prefix(1);
    }
    return fraction;
  }
  bool SkipText(std::string_view text) {
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }
  bool done() const { return left_.empty(); }

 private:
  std::string_view left_;
};

// "+01", "-03:30", "+00:19:32", of ISO DateStyle; nothing there is UTC.
std::optional<absl::Duration> Offset(Digits& text) {
  const bool minus = text.Skip('-');
  if (!minus && !text.Skip('+')) return absl::ZeroDuration();
  absl::Duration offset;
  for (const absl::Duration unit : {absl::Hours(1), absl::Minutes(1), absl::Seconds(1)}) {
    const std::optional<int64_t> number = text.Number();
    if (!number.has_value()) return std::nullopt;
    offset += *number * unit;
    if (!text.Skip(':')) break;
  }
  return minus ? -offset : offset;
}

// "2024-02-29 12:30:00.25+01", "infinity", "0044-03-15 12:00:00+00 BC".
std::optional<absl::Time> ParseTimestamp(std::string_view text) {
  if (text == "infinity") return absl::InfiniteFuture();
  if (text == "-infinity") return absl::InfinitePast();
  Digits digits(text);
  std::optional<int64_t> parts[6];
  constexpr char kSeparators[] = {'-', '-', ' ', ':', ':'};
  for (int i = 0; i < 6; ++i) {
    if (i > 0 && !digits.Skip(kSeparators[i - 1])) return std::nullopt;
    parts[i] = digits.Number();
    if (!parts[i].has_value()) return std::nullopt;
  }
  const absl::Duration fraction = digits.Fraction();
  const std::optional<absl::Duration> offset = Offset(digits);
  // Before the year 1 comes 1 BC, which astronomers count as 0.
  if (digits.SkipText(" BC")) parts[0] = 1 - *parts[0];
  if (!offset.has_value() || !digits.done()) return std::nullopt;
  const absl::CivilSecond civil(*parts[0], *parts[1], *parts[2], *parts[3], *parts[4], *parts[5]);
  return absl::FromCivil(civil, absl::UTCTimeZone()) + fraction - *offset;
}

std::optional<std::string> ParseBytea(std::string_view text) {
  // bytea_output = hex, the default since 9.0.
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::nullopt;
  const std::string_view digits = text.substr(2);
  for (const char digit : digits) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(digit))) return std::nullopt;
  }
  return absl::HexStringToBytes(Abseil(digits));
}

}  // namespace

absl::Status NullError(const Field& field) {
  return absl::InvalidArgumentError(
      absl::StrFormat("column \"%s\" is NULL: read it as std::optional", field.column));
}

absl::Status Decode(const Field& field, bool& value) {
  if (field.null) return NullError(field);
  const bool whole = field.type == type_id::kBool && field.bytes.size() == 1;
  if (!whole) return DecodeError(field, "a bool");
  value = field.binary ? field.bytes[0] != 0 : field.bytes[0] == 't';
  return absl::OkStatus();
}

absl::Status Decode(const Field& field, int16_t& value) {
  return DecodeInteger(field, value);
}
absl::Status Decode(const Field& field, int32_t& value) {
  return DecodeInteger(field, value);
}
absl::Status Decode(const Field& field, int64_t& value) {
  return DecodeInteger(field, value);
}

absl::Status Decode(const Field& field, double& value) {
  if (field.null) return NullError(field);
  if (!field.binary) {
    // "NaN", "Infinity" and "-Infinity" too.
    return absl::SimpleAtod(Abseil(field.bytes), &value) ? absl::OkStatus()
                                                         : DecodeError(field, "a number");
  }
  if (const auto bits = Big<uint64_t>(field); field.type == type_id::kFloat8 && bits.has_value()) {
    value = std::bit_cast<double>(*bits);
  } else if (const auto half = Big<uint32_t>(field);
             field.type == type_id::kFloat4 && half.has_value()) {
    value = static_cast<double>(std::bit_cast<float>(*half));
  } else if (const auto integer = BinaryInteger(field); integer.has_value()) {
    value = static_cast<double>(*integer);
  } else {
    return DecodeError(field, "a number");
  }
  return absl::OkStatus();
}

absl::Status Decode(const Field& field, float& value) {
  double wide = 0;
  if (absl::Status decoded = Decode(field, wide); !decoded.ok()) return decoded;
  value = static_cast<float>(wide);
  return absl::OkStatus();
}

absl::Status Decode(const Field& field, std::string_view& value) {
  if (field.null) return NullError(field);
  // The binary forms of these alone are their text.
  switch (field.binary ? field.type : type_id::kText) {
    case type_id::kText:
    case 18:    // "char"
    case 19:    // name
    case 114:   // json
    case 142:   // xml
    case 705:   // unknown
    case 1042:  // char(n)
    case 1043:  // varchar
      value = field.bytes;
      return absl::OkStatus();
    default:
      return DecodeError(field, "a text");
  }
}

absl::Status Decode(const Field& field, std::string& value) {
  std::string_view view;
  if (absl::Status decoded = Decode(field, view); !decoded.ok()) return decoded;
  value = view;
  return absl::OkStatus();
}

absl::Status Decode(const Field& field, Bytes& value) {
  if (field.null) return NullError(field);
  if (field.binary) {
    value.data = field.bytes;
    return absl::OkStatus();
  }
  std::optional<std::string> bytes;
  if (field.type == type_id::kBytea) bytes = ParseBytea(field.bytes);
  if (!bytes.has_value()) return DecodeError(field, "bytes");
  value.data = *std::move(bytes);
  return absl::OkStatus();
}

absl::Status Decode(const Field& field, absl::Time& value) {
  if (field.null) return NullError(field);
  const bool timestamp = field.type == type_id::kTimestampTz || field.type == type_id::kTimestamp;
  std::optional<absl::Time> time;
  if (timestamp && !field.binary) {
    time = ParseTimestamp(field.bytes);
  } else if (const auto bits = Big<uint64_t>(field); timestamp && bits.has_value()) {
    const auto micros = static_cast<int64_t>(*bits);
    time = kServerEpoch + absl::Microseconds(micros);
    if (micros == std::numeric_limits<int64_t>::max()) time = absl::InfiniteFuture();
    if (micros == std::numeric_limits<int64_t>::min()) time = absl::InfinitePast();
  }
  if (!time.has_value()) return DecodeError(field, "a time");
  value = *time;
  return absl::OkStatus();
}

}  // namespace grove::postgres
