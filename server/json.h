// JSON in and out of handlers and functions, as C++ types.
//
//   struct Order {
//     std::string kind;
//     int pieces = 1;
//   };
//   NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Order, kind, pieces)
//
//   absl::StatusOr<Order> order = grove::ReadJson<Order>(request);  // 400, with what is wrong
//   application.AddFunction("order.price", grove::JsonFunction<Order>(
//       [](grove::TaskContext&, const Order& order) -> absl::StatusOr<Price> { … }));
//
// Types are nlohmann's: whatever has to_json and from_json. Nothing is thrown.
#ifndef GROVE_SERVER_JSON_H_
#define GROVE_SERVER_JSON_H_

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

namespace grove {

inline constexpr size_t kJsonBytesMax = size_t{1} << 20;

// kInvalidArgument: "no JSON: …" with the place.
absl::StatusOr<nlohmann::json> ParseJson(std::string_view text);
// Invalid UTF-8 becomes U+FFFD.
std::string JsonText(const nlohmann::json& value);
// An exception's text without its number.
std::string JsonProblem(const nlohmann::json::exception& problem);
// The body. kInvalidArgument: its Content-Type is another than application/json or one that ends in
// +json; kResourceExhausted: it is longer than `bytes_max`. **Parks.**
absl::StatusOr<std::string> ReadJsonText(http::Request& request, size_t bytes_max);

// kInvalidArgument says which key is missing or of another type.
template <typename T>
absl::StatusOr<T> FromJson(std::string_view text) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(text);
  if (!parsed.ok()) return parsed.status();
  try {
    return parsed->get<T>();
  } catch (const nlohmann::json::exception& e) {
    return absl::InvalidArgumentError(JsonProblem(e));
  }
}

template <typename T>
std::string ToJson(const T& value) {
  return JsonText(nlohmann::json(value));
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
