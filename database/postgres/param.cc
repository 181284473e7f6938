#include "database/postgres/param.h"

#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "database/postgres/wire_numbers.h"
#include "runtime/hub/check.h"

namespace grove::postgres {
namespace {

TypeId ArrayOf(TypeId element) {
  switch (element) {
    case type_id::kBool:
      return type_id::kBoolArray;
    case type_id::kBytea:
      return type_id::kByteaArray;
    case type_id::kInt2:
      return type_id::kInt2Array;
    case type_id::kInt4:
      return type_id::kInt4Array;
    case type_id::kInt8:
      return type_id::kInt8Array;
    case type_id::kFloat4:
      return type_id::kFloat4Array;
    case type_id::kFloat8:
      return type_id::kFloat8Array;
    case type_id::kTimestampTz:
      return type_id::kTimestampTzArray;
    default:
      return type_id::kTextArray;
  }
}

// Of the binary form of an array: dimensions, whether there are NULLs, the element's type, and for
// the one dimension its length and first index (array_recv in the server's arrayfuncs.c).
constexpr size_t kHasNullAt = 4;
constexpr size_t kLengthAt = 12;
constexpr size_t kArrayHeader = 20;

}  // namespace

template <typename Unsigned>
void Param::StoreBigEndian(TypeId type, Unsigned bits) {
  type_ = type;
  binary_ = true;
  null_ = false;
  place_ = Place::kInline;
  inline_size_ = sizeof(bits);
  StoreBig(inline_.data(), bits);
}

Param::Param(bool value) {
  StoreBigEndian(type_id::kBool, static_cast<uint8_t>(value));
}
Param::Param(int16_t value) {
  StoreBigEndian(type_id::kInt2, static_cast<uint16_t>(value));
}
Param::Param(int32_t value) {
  StoreBigEndian(type_id::kInt4, static_cast<uint32_t>(value));
}
Param::Param(int64_t value) {
  StoreBigEndian(type_id::kInt8, static_cast<uint64_t>(value));
}
Param::Param(float value) {
  StoreBigEndian(type_id::kFloat4, std::bit_cast<uint32_t>(value));
}
Param::Param(double value) {
  StoreBigEndian(type_id::kFloat8, std::bit_cast<uint64_t>(value));
}

Param::Param(absl::Time value) {
  int64_t micros = absl::ToInt64Microseconds(value - kServerEpoch);
  if (value == absl::InfiniteFuture()) micros = std::numeric_limits<int64_t>::max();
  if (value == absl::InfinitePast()) micros = std::numeric_limits<int64_t>::min();
  StoreBigEndian(type_id::kTimestampTz, static_cast<uint64_t>(micros));
}

Param::Param(std::string_view text) : null_(false), view_(text) {}
Param::Param(const std::string& text) : Param(std::string_view(text)) {}
Param::Param(const char* text) : Param(std::string_view(text)) {}
Param::Param(BytesView bytes)
    : type_(type_id::kBytea), binary_(true), null_(false), view_(bytes.data) {}

Param Param::Typed(TypeId type, std::string_view text) {
  Param param(text);
  param.type_ = type;
  return param;
}

std::string_view Param::bytes() const {
  switch (place_) {
    case Place::kInline:
      return {inline_.data(), inline_size_};
    case Place::kView:
      return view_;
    case Place::kOwned:
      return owned_;
  }
  return {};
}

Param Param::Element(const Param& like) {
  const TypeId element = like.type() == type_id::kUnspecified ? type_id::kText : like.type();
  Param array(nullptr);
  array.type_ = ArrayOf(element);
  array.binary_ = true;
  array.null_ = false;
  array.place_ = Place::kOwned;
  array.owned_.resize(kArrayHeader);
  StoreBig(array.owned_.data(), uint32_t{1});
  StoreBig(array.owned_.data() + 8, element);
  StoreBig(array.owned_.data() + 16, uint32_t{1});
  return array;
}

void Param::Append(const Param& element) {
  StoreBig(owned_.data() + kLengthAt, LoadBig<uint32_t>(owned_.data() + kLengthAt) + 1);
  if (element.null()) StoreBig(owned_.data() + kHasNullAt, uint32_t{1});
  const std::string_view bytes = element.bytes();
  const size_t at = owned_.size();
  owned_.resize(at + sizeof(uint32_t));
  StoreBig(owned_.data() + at,
           element.null() ? uint32_t{0xffffffff} : static_cast<uint32_t>(bytes.size()));
  owned_ += bytes;
}

}  // namespace grove::postgres
