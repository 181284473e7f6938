// Param: a value that goes with a statement, as the wire has it.
//
// Made of C++ values without a word, so that a call reads
//   connection.Query("SELECT $1 + $2, $3", {1, int64_t{2}, "three"});
// Numbers, truth, bytes, times and arrays go in binary with their types; texts without one, so that
// the server takes them for whatever the statement wants there: a date, a JSON document, an enum.
// Texts and bytes are not copied: they must outlive the call. A value; any thread.
#ifndef GROVE_DATABASE_POSTGRES_PARAM_H_
#define GROVE_DATABASE_POSTGRES_PARAM_H_

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace grove::postgres {

// The server's number of a type (pg_type.oid); those of built-in types never change.
using TypeId = uint32_t;
namespace type_id {
inline constexpr TypeId kUnspecified = 0;
inline constexpr TypeId kBool = 16;
inline constexpr TypeId kBytea = 17;
inline constexpr TypeId kInt8 = 20;
inline constexpr TypeId kInt2 = 21;
inline constexpr TypeId kInt4 = 23;
inline constexpr TypeId kText = 25;
inline constexpr TypeId kOid = 26;
inline constexpr TypeId kFloat4 = 700;
inline constexpr TypeId kFloat8 = 701;
inline constexpr TypeId kTimestamp = 1114;
inline constexpr TypeId kTimestampTz = 1184;
inline constexpr TypeId kNumeric = 1700;
inline constexpr TypeId kBoolArray = 1000;
inline constexpr TypeId kByteaArray = 1001;
inline constexpr TypeId kInt2Array = 1005;
inline constexpr TypeId kInt4Array = 1007;
inline constexpr TypeId kTextArray = 1009;
inline constexpr TypeId kInt8Array = 1016;
inline constexpr TypeId kFloat4Array = 1021;
inline constexpr TypeId kFloat8Array = 1022;
inline constexpr TypeId kTimestampTzArray = 1185;
}  // namespace type_id

// Bytes, whatever they are: bytea. As a parameter a view; the bytes of a row are had as std::string
// by Row::Get<Bytes>().
struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};
struct BytesView {
  std::string_view data;
};

class Param {
 public:
  // NULL.
  Param(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  Param(std::nullopt_t) {}  // NOLINT(google-explicit-constructor)
  Param(bool value);        // NOLINT(google-explicit-constructor)
  // int2, int4 or int8 by its size; a float, float4, a double, float8.
  Param(int16_t value);  // NOLINT(google-explicit-constructor)
  Param(int32_t value);  // NOLINT(google-explicit-constructor)
  Param(int64_t value);  // NOLINT(google-explicit-constructor)
  Param(float value);    // NOLINT(google-explicit-constructor)
  Param(double value);   // NOLINT(google-explicit-constructor)
  // timestamptz, whole microseconds; the infinite ones are the server's.
  Param(absl::Time value);  // NOLINT(google-explicit-constructor)
  // Of no type of its own. Requires: no NUL inside, which no text of the server may have.
  Param(std::string_view text);    // NOLINT(google-explicit-constructor)
  Param(const std::string& text);  // NOLINT(google-explicit-constructor)
  Param(const char* text);         // NOLINT(google-explicit-constructor)
  Param(BytesView bytes);          // NOLINT(google-explicit-constructor)
  Param(const Bytes& bytes)
      : Param(BytesView{bytes.data}) {}  // NOLINT(google-explicit-constructor)
  template <typename T>
  Param(const std::optional<T>& value)  // NOLINT(google-explicit-constructor)
      : Param(value.has_value() ? Param(*value) : Param(nullptr)) {}
  // An array of one dimension.
  template <typename T>
  Param(const std::vector<T>& values)  // NOLINT(google-explicit-constructor)
      : Param(Array(values)) {}
  // A text that is to be read as `type`: an array of a type that has no constructor here, or one
  // that the statement alone does not tell.
  static Param Typed(TypeId type, std::string_view text);

  TypeId type() const { return type_; }
  bool binary() const { return binary_; }
  bool null() const { return null_; }
  // What goes over the wire; valid as long as the Param and what it was made of.
  std::string_view bytes() const;

 private:
  enum class Place : uint8_t { kInline, kView, kOwned };

  template <typename T>
  static Param Array(const std::vector<T>& values) {
    Param array = Element(Zero(static_cast<const T*>(nullptr)));
    for (const T& value : values) array.Append(Param(value));
    return array;
  }
  // A value of the type of an array's elements, of which none need be there.
  template <typename T>
  static Param Zero(const T*) {
    return Param(T{});
  }
  template <typename T>
  static Param Zero(const std::optional<T>*) {
    return Param(T{});
  }
  // An empty array of elements of the type of `like`.
  static Param Element(const Param& like);
  void Append(const Param& element);
  template <typename Unsigned>
  void StoreBigEndian(TypeId type, Unsigned bits);

  TypeId type_ = type_id::kUnspecified;
  bool binary_ = false;
  bool null_ = true;
  Place place_ = Place::kView;
  uint8_t inline_size_ = 0;
  std::array<char, 8> inline_{};
  std::string_view view_;
  std::string owned_;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_PARAM_H_
