#include "database/postgres/result.h"

#include <libpq-fe.h>

#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {

absl::StatusOr<Field> Row::At(int column) const {
  if (column < 0 || column >= PQnfields(result_)) {
    return absl::OutOfRangeError(
        absl::StrFormat("column %d: there are %d, from 0 on", column, PQnfields(result_)));
  }
  return Field{.column = PQfname(result_, column),
               .type = PQftype(result_, column),
               .binary = PQfformat(result_, column) == 1,
               .null = PQgetisnull(result_, row_, column) != 0,
               .bytes = {PQgetvalue(result_, row_, column),
                         static_cast<size_t>(PQgetlength(result_, row_, column))}};
}

int Row::columns() const {
  return PQnfields(result_);
}

// Not PQfnumber(), which folds upper case as the server does for names without quotes.
absl::StatusOr<int> Row::Number(std::string_view column) const {
  for (int i = 0; i < PQnfields(result_); ++i) {
    if (column == PQfname(result_, i)) return i;
  }
  return absl::NotFoundError(absl::StrFormat("there is no column \"%s\"", column));
}

absl::Status Row::CheckCount(size_t wanted) const {
  if (static_cast<size_t>(columns()) == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("the row has %d columns, %d are read", columns(), wanted));
}

void Result::Clear::operator()(pg_result* result) const {
  PQclear(result);
}

int Result::rows() const {
  return PQntuples(result_.get());
}

int Result::columns() const {
  return PQnfields(result_.get());
}

std::string_view Result::column_name(int column) const {
  const char* const name = PQfname(result_.get(), column);
  return name == nullptr ? std::string_view() : name;
}

TypeId Result::column_type(int column) const {
  return PQftype(result_.get(), column);
}

absl::Status Result::CheckOneValue() const {
  if (rows() == 1 && columns() == 1) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "one value was asked for: there are %d rows of %d columns", rows(), columns()));
}

int64_t Result::rows_affected() const {
  int64_t rows = 0;
  return SimpleAtoi(std::string_view(PQcmdTuples(result_.get())), &rows) ? rows : 0;
}

std::string_view Result::command() const {
  return PQcmdStatus(result_.get());
}

size_t Result::memory_bytes() const {
  return PQresultMemorySize(result_.get());
}

}  // namespace grove::postgres
