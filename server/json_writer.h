// JsonOf: a C++ type as a JSON value; of a struct what its JsonFields() name
// (server/json_fields.h).
//
// Pure.
#ifndef GROVE_SERVER_JSON_WRITER_H_
#define GROVE_SERVER_JSON_WRITER_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "server/json_fields.h"

namespace grove {

// What a JsonFields() is given that writes.
class JsonObjectWriter {
 public:
  template <typename T>
  void Required(std::string_view name, const T& value);
  // A std::optional without a value is left out.
  template <typename T>
  void Optional(std::string_view name, const T& value);
  void RefuseUnknown() {}

  nlohmann::json Take() { return std::move(object_); }

 private:
  nlohmann::json object_ = nlohmann::json::object();
};

template <typename T>
nlohmann::json JsonOf(const T& value) {
  if constexpr (HasJsonFields<T, JsonObjectWriter>) {
    JsonObjectWriter fields;
    JsonFields(fields, const_cast<T&>(value));  // which only reads it
    return fields.Take();
  } else if constexpr (kIsOptional<T>) {
    return value ? JsonOf(*value) : nlohmann::json();
  } else if constexpr (JsonMap<T>) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [key, entry] : value) object[key] = JsonOf(entry);
    return object;
  } else if constexpr (JsonList<T>) {
    nlohmann::json array = nlohmann::json::array();
    for (const typename T::value_type& element : value) array.push_back(JsonOf(element));
    return array;
  } else {
    return nlohmann::json(value);
  }
}

template <typename T>
void JsonObjectWriter::Required(std::string_view name, const T& value) {
  object_[std::string(name)] = JsonOf(value);
}

template <typename T>
void JsonObjectWriter::Optional(std::string_view name, const T& value) {
  if constexpr (kIsOptional<T>) {
    if (!value) return;
  }
  Required(name, value);
}

}  // namespace grove

#endif  // GROVE_SERVER_JSON_WRITER_H_
