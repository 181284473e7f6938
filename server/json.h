// JSON in and out of handlers and functions, as C++ types.
//
//   struct Order {
//     std::string kind;
//     int pieces = 1;
//   };
//   void JsonFields(auto& fields, Order& order) {
//     fields.Required("kind", order.kind);
//     fields.Optional("pieces", order.pieces);
//   }
//
//   absl::StatusOr<Order> order = grove::ReadJson<Order>(request);  // 400, with what is wrong
//   where application.AddFunction("order.price", grove::JsonFunction<Order>(
//       [](grove::TaskContext&, const Order& order) -> absl::StatusOr<Price> { … }));
//
// Types are those of server/json_fields.h, or nlohmann's: whatever has to_json and from_json, which
// then say what is wrong, without its place. Nothing is thrown.
#ifndef GROVE_SERVER_JSON_H_
#define GROVE_SERVER_JSON_H_

#include <concepts>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/function.h"
#include "server/http/handler/request.h"
#include "server/http/handler/response.h"
#include "server/json_fields.h"
#include "server/json_reader.h"
#include "server/json_writer.h"

namespace grove {

inline constexpr size_t kJsonBytesMax = size_t{1} << 20;

// kInvalidArgument: "no JSON: …" with the place.
absl::StatusOr<nlohmann::json> ParseJson(std::string_view text);
// Invalid UTF-8 becomes U+FFFD.
std::string JsonText(const nlohmann::json& value);
// The body. kInvalidArgument: its Content-Type is another than application/json or one that ends in
// +json; kResourceExhausted: it is longer than `bytes_max`. **Parks.**
absl::StatusOr<std::string> ReadJsonText(http::Request& request, size_t bytes_max);

// kInvalidArgument says which field is wrong, and how.
template <typename T>
absl::StatusOr<T> FromJson(std::string_view text) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(text);
  if (!parsed.ok()) return parsed.status();
  if constexpr (std::default_initializable<T>) {
    T value{};
    JsonReader reader;
    reader.Read(*parsed, value);
    if (!reader.status().ok()) return reader.status();
    return value;
  } else {
    try {
      return parsed->get<T>();
    } catch (const nlohmann::json::exception& e) {
      return absl::InvalidArgumentError(JsonProblem(e));
    }
  }
}

template <typename T>
std::string ToJson(const T& value) {
  return JsonText(JsonOf(value));
}

// **Parks.**
template <typename T>
absl::StatusOr<T> ReadJson(http::Request& request, size_t bytes_max = kJsonBytesMax) {
  const absl::StatusOr<std::string> text = ReadJsonText(request, bytes_max);
  if (!text.ok()) return text.status();
  return FromJson<T>(*text);
}

template <typename T>
absl::Status SendJson(http::Response& response, int status, const T& value) {
  return response.Send(status, "application/json", ToJson(value) + "\n");
}

// A function of `body(TaskContext&, const In&)`, which returns a StatusOr of what the output is
// made of. An input that is no In fails the task, and is not tried again; an empty one is {}.
template <typename In, typename F>
Function JsonFunction(F body) {
  return [body = std::move(body)](TaskContext& context) mutable -> absl::StatusOr<Output> {
    const absl::StatusOr<In> input = FromJson<In>(context.input().empty() ? "{}" : context.input());
    if (!input.ok()) return input.status();
    const auto output = body(context, *input);
    if (!output.ok()) return output.status();
    return Output{ToJson(*output), "application/json"};
  };
}

}  // namespace grove

#endif  // GROVE_SERVER_JSON_H_
