#include "database/mariadb/value.h"

#include <charconv>

#include "runtime/switch/abseil_text.h"

namespace grove::mariadb {
namespace {

template <typename Number>
absl::StatusOr<Number> Parsed(const std::optional<std::string>& text, std::string_view what) {
  if (!text.has_value()) return absl::NotFoundError("mariadb: null");
  Number number{};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size()) return number;
  return absl::FailedPreconditionError(StrCat("mariadb: the value is no ", what));
}

}  // namespace

absl::StatusOr<std::string> Value::Text() const {
  if (null()) return absl::NotFoundError("mariadb: null");
  return *bytes_;
}

absl::StatusOr<int64_t> Value::Integer() const {
  return Parsed<int64_t>(bytes_, "64-bit integer");
}

absl::StatusOr<uint64_t> Value::Unsigned() const {
  return Parsed<uint64_t>(bytes_, "unsigned 64-bit integer");
}

absl::StatusOr<double> Value::Double() const {
  return Parsed<double>(bytes_, "number");
}

}  // namespace grove::mariadb
