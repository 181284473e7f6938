// JsonReader: reads a JSON value as a C++ type, and says where in it something is wrong.
//
// Of structs it reads what their JsonFields() name (server/json_fields.h). Nothing is thrown. Pure.
#ifndef GROVE_SERVER_JSON_READER_H_
#define GROVE_SERVER_JSON_READER_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/json_fields.h"

namespace grove {

// Structs within structs; a type that holds itself would follow its input as deep as that goes.
inline constexpr int kJsonDepthMax = 64;

// An exception's text without its number.
std::string JsonProblem(const nlohmann::json::exception& problem);

class JsonObjectReader;

// Reads one value, and knows where in it it is.
class JsonReader {
 public:
  // Into `place`, which keeps what the value does not name. After an error nothing is read any
  // more.
  template <typename T>
  void Read(const nlohmann::json& value, T& place);
  // kInvalidArgument: the first thing that was wrong.
  const absl::Status& status() const { return status_; }

 private:
  friend class JsonObjectReader;

  // Within a field or an element, for as long as it lives.
  class Step {
   public:
    Step(JsonReader& reader, std::string_view field);
    Step(JsonReader& reader, size_t index);
    ~Step() { reader_.path_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    JsonReader& reader_;
    const size_t length_;
  };

  void Fail(std::string_view what);
  // False, and it has failed, unless `fits`.
  bool Expect(bool fits, std::string_view wanted, const nlohmann::json& found);
  template <typename T>
  void ReadInteger(const nlohmann::json& value, T& place);
  template <typename T>
  void ReadObject(const nlohmann::json& value, T& place);

  std::string path_;
  int depth_ = 0;
  absl::Status status_;
};

// What a JsonFields() is given that reads.
class JsonObjectReader {
 public:
  JsonObjectReader(JsonReader& reader, const nlohmann::json& object)
      : reader_(reader), object_(object) {}

  // Must be there.
  template <typename T>
  void Required(std::string_view name, T& place) {
    if (const nlohmann::json* value = Find(name)) return Read(name, *value, place);
    missing_.push_back(name);
  }
  // May be left out: then `place` keeps what it has.
  template <typename T>
  void Optional(std::string_view name, T& place) {
    if (const nlohmann::json* value = Find(name)) Read(name, *value, place);
  }
  // Fields that are not named are an error, which says what was probably meant.
  void RefuseUnknown() { refuses_unknown_ = true; }

  // Once all are named.
  void Finish();

 private:
  // Null: it is not there.
  const nlohmann::json* Find(std::string_view name);
  template <typename T>
  void Read(std::string_view name, const nlohmann::json& value, T& place) {
    const JsonReader::Step step(reader_, name);
    reader_.Read(value, place);
  }
  void RefuseUnknownOnes();

  JsonReader& reader_;
  const nlohmann::json& object_;
  bool refuses_unknown_ = false;
  std::vector<std::string_view> names_;
  std::vector<std::string_view> missing_;
};

template <typename T>
void JsonReader::Read(const nlohmann::json& value, T& place) {
  if (!status_.ok()) return;
  if constexpr (HasJsonFields<T, JsonObjectReader>) {
    ReadObject(value, place);
  } else if constexpr (std::same_as<T, bool>) {
    if (Expect(value.is_boolean(), "true or false", value)) place = value.get<bool>();
  } else if constexpr (std::integral<T>) {
    ReadInteger(value, place);
  } else if constexpr (std::floating_point<T>) {
    if (Expect(value.is_number(), "a number", value)) place = value.get<T>();
  } else if constexpr (std::same_as<T, std::string>) {
    if (Expect(value.is_string(), "a string", value)) place = value.get_ref<const T&>();
  } else if constexpr (kIsOptional<T>) {
    if (value.is_null()) return place.reset();
    Read(value, place.emplace());
  } else if constexpr (JsonMap<T>) {
    if (!Expect(value.is_object(), "an object", value)) return;
    place.clear();
    for (const auto& [key, entry] : value.items()) {
      const Step step(*this, key);
      Read(entry, place[key]);
    }
  } else if constexpr (JsonList<T>) {
    if (!Expect(value.is_array(), "an array", value)) return;
    place.clear();
    for (size_t i = 0; i < value.size(); ++i) {
      const Step step(*this, i);
      typename T::value_type element{};
      Read(value[i], element);
      place.push_back(std::move(element));
    }
  } else {
    try {
      place = value.get<T>();
    } catch (const nlohmann::json::exception& e) {
      Fail(JsonProblem(e));
    }
  }
}

template <typename T>
void JsonReader::ReadInteger(const nlohmann::json& value, T& place) {
  if (!Expect(value.is_number(), "an integer", value)) return;
  constexpr T kMin = std::numeric_limits<T>::min();
  constexpr T kMax = std::numeric_limits<T>::max();
  if (value.is_number_unsigned() && std::in_range<T>(value.get<uint64_t>())) {
    place = static_cast<T>(value.get<uint64_t>());
  } else if (value.is_number_integer() && !value.is_number_unsigned() &&
             std::in_range<T>(value.get<int64_t>())) {
    place = static_cast<T>(value.get<int64_t>());
  } else {
    Fail("expected an integer from " + std::to_string(kMin) + " to " + std::to_string(kMax) +
         ", found " + value.dump());
  }
}

template <typename T>
void JsonReader::ReadObject(const nlohmann::json& value, T& place) {
  if (!Expect(value.is_object(), "an object", value)) return;
  if (depth_ == kJsonDepthMax) {
    return Fail("objects stand within each other more than " + std::to_string(kJsonDepthMax) +
                " deep");
  }
  ++depth_;
  JsonObjectReader fields(*this, value);
  JsonFields(fields, place);
  fields.Finish();
  --depth_;
}

}  // namespace grove

#endif  // GROVE_SERVER_JSON_READER_H_
