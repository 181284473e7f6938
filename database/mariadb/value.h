// Parameter: what is bound to a statement of MariaDB. Value: what a row of it holds.
//
// Values come as the server writes them in text, whatever their type; a getter reads a number from
// them. kNotFound: null; kFailedPrecondition: the text is no such number. Values; any thread.
#ifndef GROVE_DATABASE_MARIADB_VALUE_H_
#define GROVE_DATABASE_MARIADB_VALUE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::mariadb {

class Parameter {
 public:
  Parameter() = default;
  Parameter(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <std::signed_integral Integer>
  Parameter(Integer number)  // NOLINT(google-explicit-constructor)
      : value_(static_cast<int64_t>(number)) {}
  template <std::unsigned_integral Integer>
  Parameter(Integer number)  // NOLINT(google-explicit-constructor)
      : value_(static_cast<uint64_t>(number)) {}
  Parameter(double number) : value_(number) {}                       // NOLINT
  Parameter(std::string bytes) : value_(std::move(bytes)) {}         // NOLINT
  Parameter(std::string_view bytes) : value_(std::string(bytes)) {}  // NOLINT
  Parameter(const char* text) : value_(std::string(text)) {}         // NOLINT

  const auto& value() const { return value_; }

 private:
  std::variant<std::monostate, int64_t, uint64_t, double, std::string> value_;
};

using Parameters = std::vector<Parameter>;

class Value {
 public:
  Value() = default;  // null
  explicit Value(std::string bytes) : bytes_(std::move(bytes)) {}

  bool null() const { return !bytes_.has_value(); }
  // Of a text or of bytes as they are; of all else as the server writes it.
  absl::StatusOr<std::string> Text() const;
  absl::StatusOr<int64_t> Integer() const;
  absl::StatusOr<uint64_t> Unsigned() const;
  absl::StatusOr<double> Double() const;
  // As it stands in memory.
  size_t bytes() const { return sizeof(*this) + (null() ? 0 : bytes_->size()); }

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::optional<std::string> bytes_;
};

using Row = std::vector<Value>;

struct Rows {
  std::vector<std::string> columns;
  std::vector<Row> rows;
};

struct Changes {
  uint64_t rows = 0;  // inserted, changed or deleted
  uint64_t last_insert_id = 0;
  unsigned warnings = 0;
};

}  // namespace grove::mariadb

#endif  // GROVE_DATABASE_MARIADB_VALUE_H_
