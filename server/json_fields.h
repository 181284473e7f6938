// JsonFields: a struct's fields by their names, by which its JSON is read and written.
//
//   struct Item {
//     std::string name;
//     double price = 0;
//   };
//   void JsonFields(auto& fields, Item& item) {
//     fields.Required("name", item.name);
//     fields.Optional("price", item.price);
//     fields.RefuseUnknown();  // without it, they are ignored
//   }
//
// The function stands in the namespace of its struct. What is wrong is told with its place:
// "items[3].price: expected a number, found a string". Fields are other such structs, texts,
// numbers, bools, std::optional, std::vector, std::map of texts, nlohmann::json, and whatever has
// nlohmann's from_json and to_json. Nothing is thrown. Pure.
#ifndef GROVE_SERVER_JSON_FIELDS_H_
#define GROVE_SERVER_JSON_FIELDS_H_

#include <concepts>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace grove {

template <typename T, typename Fields>
concept HasJsonFields = requires(Fields& fields, T& value) {
  JsonFields(fields, value);
};
template <typename T>
concept AnyJson = std::same_as<T, nlohmann::json> || std::same_as<T, nlohmann::ordered_json>;
template <typename T>
concept JsonList = !AnyJson<T> && !std::same_as<T, std::string> && requires(T & list) {
  list.push_back(typename T::value_type());
};
template <typename T>
concept JsonMap = !AnyJson<T> && std::same_as<typename T::key_type, std::string> && requires {
  typename T::mapped_type;
};
template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

}  // namespace grove

#endif  // GROVE_SERVER_JSON_FIELDS_H_
