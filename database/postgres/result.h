// Result: the rows that a statement gave, and Row, one of them.
//
//   for (const Row row : *result) {
//     absl::StatusOr<int64_t> id = row.Get<int64_t>("id");
// A column is read as the C++ type that is asked for: bool, int16_t, int32_t, int64_t, float,
// double, std::string, std::string_view, Bytes, absl::Time, std::optional of them for what may be
// NULL, std::vector of them for arrays of one dimension. What does not fit is kInvalidArgument that
// names the column, its type and what was asked for; so is a NULL without an optional.
// Rows and string_views live as long as their Result. A value that can be moved; any thread.
#ifndef GROVE_DATABASE_POSTGRES_RESULT_H_
#define GROVE_DATABASE_POSTGRES_RESULT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/postgres/param.h"

struct pg_result;  // libpq's PGresult

namespace grove::postgres {

// One value as it came.
struct Field {
  std::string_view column;
  TypeId type = type_id::kUnspecified;
  bool binary = false;
  bool null = false;
  std::string_view bytes;  // empty if it is NULL
};

absl::Status Decode(const Field& field, bool& value);
absl::Status Decode(const Field& field, int16_t& value);
absl::Status Decode(const Field& field, int32_t& value);
absl::Status Decode(const Field& field, int64_t& value);
absl::Status Decode(const Field& field, float& value);
absl::Status Decode(const Field& field, double& value);
absl::Status Decode(const Field& field, std::string_view& value);
absl::Status Decode(const Field& field, std::string& value);
absl::Status Decode(const Field& field, Bytes& value);
absl::Status Decode(const Field& field, absl::Time& value);
// The elements of an array, with its column's name and their own type.
absl::StatusOr<std::vector<Field>> ArrayElements(const Field& field,
                                                 std::vector<std::string>& storage);
absl::Status NullError(const Field& field);

template <typename T>
absl::Status Decode(const Field& field, std::optional<T>& value) {
  if (field.null) {
    value.reset();
    return absl::OkStatus();
  }
  return Decode(field, value.emplace());
}

template <typename T>
absl::Status Decode(const Field& field, std::vector<T>& values) {
  static_assert(!std::is_same_v<T, std::string_view>, "elements of arrays are had as std::string");
  std::vector<std::string> storage;
  absl::StatusOr<std::vector<Field>> elements = ArrayElements(field, storage);
  if (!elements.ok()) return elements.status();
  values.clear();
  for (const Field& element : *elements) {
    T value{};
    if (absl::Status decoded = Decode(element, value); !decoded.ok()) return decoded;
    values.push_back(std::move(value));
  }
  return absl::OkStatus();
}

class Row {
 public:
  Row(pg_result* result, int row) : result_(result), row_(row) {}

  // kInvalidArgument as above; kOutOfRange, kNotFound: there is no such column.
  template <typename T>
  absl::StatusOr<T> Get(int column) const {
    absl::StatusOr<Field> field = At(column);
    if (!field.ok()) return field.status();
    T value{};
    if (absl::Status decoded = Decode(*field, value); !decoded.ok()) return decoded;
    return value;
  }
  template <typename T>
  absl::StatusOr<T> Get(std::string_view column) const {
    absl::StatusOr<int> number = Number(column);
    if (!number.ok()) return number.status();
    return Get<T>(*number);
  }
  // All columns at once, which must be as many: row.Read(id, name, born).
  template <typename... T>
  absl::Status Read(T&... values) const {
    if (absl::Status count = CheckCount(sizeof...(values)); !count.ok()) return count;
    int column = 0;
    absl::Status status;
    (void)((status = ReadOne(column++, values), status.ok()) && ...);
    return status;
  }
  absl::StatusOr<Field> At(int column) const;
  int columns() const;

 private:
  template <typename T>
  absl::Status ReadOne(int column, T& value) const {
    absl::StatusOr<Field> field = At(column);
    return field.ok() ? Decode(*field, value) : field.status();
  }
  absl::StatusOr<int> Number(std::string_view column) const;
  absl::Status CheckCount(size_t wanted) const;

  pg_result* result_;
  int row_;
};

class Result {
 public:
  class Iterator {
   public:
    Iterator(pg_result* result, int row) : result_(result), row_(row) {}
    Row operator*() const { return Row(result_, row_); }
    Iterator& operator++() {
      ++row_;
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    pg_result* result_;
    int row_;
  };

  // Takes over `result`.
  explicit Result(pg_result* result) : result_(result) {}

  int rows() const;
  int columns() const;
  bool empty() const { return rows() == 0; }
  std::string_view column_name(int column) const;
  TypeId column_type(int column) const;
  // Requires: 0 <= row < rows().
  Row operator[](int row) const { return Row(result_.get(), row); }
  Iterator begin() const { return {result_.get(), 0}; }
  Iterator end() const { return {result_.get(), rows()}; }
  // The one value of the one row. kFailedPrecondition: there are more or fewer.
  template <typename T>
  absl::StatusOr<T> Value() const {
    if (absl::Status one = CheckOneValue(); !one.ok()) return one;
    return Row(result_.get(), 0).Get<T>(0);
  }
  // Of INSERT, UPDATE, DELETE, MERGE, SELECT, COPY …; 0 for others.
  int64_t rows_affected() const;
  // "INSERT 0 1".
  std::string_view command() const;
  // All that it keeps.
  size_t memory_bytes() const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  absl::Status CheckOneValue() const;
  std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_RESULT_H_
