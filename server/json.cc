#include "server/json.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "runtime/switch/abseil_text.h"

namespace grove {

absl::StatusOr<nlohmann::json> ParseJson(std::string_view text) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    return absl::InvalidArgumentError("no JSON: " + JsonProblem(e));
  }
}

std::string JsonText(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<std::string> ReadJsonText(http::Request& request, size_t bytes_max) {
  const std::string_view type = request.Get("Content-Type").value_or("");
  const std::string essence(
      absl::StripAsciiWhitespace(Abseil(type.substr(0, std::min(type.find(';'), type.size())))));
  if (!absl::EqualsIgnoreCase(essence, "application/json") &&
      !absl::EndsWithIgnoreCase(essence, "+json")) {
    return absl::InvalidArgumentError("want JSON with Content-Type: application/json");
  }
  return request.ReadWholeBody(bytes_max);
}

}  // namespace grove
