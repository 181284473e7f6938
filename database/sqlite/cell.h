// Cell: a value of SQLite, as it is bound to a parameter or stands in a row.
//
// Typed as SQLite types it: null, integer, real, text, blob. A getter converts nothing but an
// integer to a real; kNotFound: null; kFailedPrecondition: another type. A value; any thread.
#ifndef GROVE_DATABASE_SQLITE_CELL_H_
#define GROVE_DATABASE_SQLITE_CELL_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::sqlite {

struct Blob {
  std::string bytes;
  friend bool operator==(const Blob&, const Blob&) = default;
};

class Cell {
 public:
  Cell() = default;
  Cell(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <std::integral Integer>
  Cell(Integer number)  // NOLINT(google-explicit-constructor)
      : value_(static_cast<int64_t>(number)) {}
  Cell(double number) : value_(number) {}                     // NOLINT
  Cell(std::string text) : value_(std::move(text)) {}         // NOLINT
  Cell(std::string_view text) : value_(std::string(text)) {}  // NOLINT
  Cell(const char* text) : value_(std::string(text)) {}       // NOLINT
  Cell(Blob blob) : value_(std::move(blob)) {}                // NOLINT

  bool null() const { return std::holds_alternative<std::monostate>(value_); }
  absl::StatusOr<int64_t> Integer() const;
  absl::StatusOr<double> Real() const;
  absl::StatusOr<std::string> Text() const;
  absl::StatusOr<std::string> Bytes() const;  // of a blob
  // "null", "integer", "real", "text", "blob".
  std::string_view TypeName() const;
  // As it stands in memory.
  size_t bytes() const;

  // For who switches over the types.
  const auto& value() const { return value_; }
  friend bool operator==(const Cell&, const Cell&) = default;

 private:
  absl::Status Unlike(std::string_view wanted) const;

  std::variant<std::monostate, int64_t, double, std::string, Blob> value_;
};

using Row = std::vector<Cell>;

struct Rows {
  std::vector<std::string> columns;
  std::vector<Row> rows;
};

}  // namespace grove::sqlite

#endif  // GROVE_DATABASE_SQLITE_CELL_H_
