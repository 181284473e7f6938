#include "database/sqlite/cell.h"

#include <array>

#include "runtime/switch/abseil_text.h"

namespace grove::sqlite {

std::string_view Cell::TypeName() const {
  constexpr std::array<std::string_view, 5> kNames = {"null", "integer", "real", "text", "blob"};
  return kNames[value_.index()];
}

absl::Status Cell::Unlike(std::string_view wanted) const {
  if (null()) return absl::NotFoundError("sqlite: null");
  return absl::FailedPreconditionError(
      StrCat("sqlite: the value is of type ", TypeName(), ", not ", wanted));
}

absl::StatusOr<int64_t> Cell::Integer() const {
  if (const auto* number = std::get_if<int64_t>(&value_)) return *number;
  return Unlike("integer");
}

absl::StatusOr<double> Cell::Real() const {
  if (const auto* number = std::get_if<double>(&value_)) return *number;
  if (const auto* number = std::get_if<int64_t>(&value_)) return static_cast<double>(*number);
  return Unlike("real");
}

absl::StatusOr<std::string> Cell::Text() const {
  if (const auto* text = std::get_if<std::string>(&value_)) return *text;
  return Unlike("text");
}

absl::StatusOr<std::string> Cell::Bytes() const {
  if (const auto* blob = std::get_if<Blob>(&value_)) return blob->bytes;
  return Unlike("blob");
}

size_t Cell::bytes() const {
  if (const auto* text = std::get_if<std::string>(&value_)) return sizeof(*this) + text->size();
  if (const auto* blob = std::get_if<Blob>(&value_)) return sizeof(*this) + blob->bytes.size();
  return sizeof(*this);
}

}  // namespace grove::sqlite
