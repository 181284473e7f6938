#include "server/functions/reflect.h"

#include <span>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/functions/json_input.h"

namespace grove {
namespace {

using nlohmann::json;

json Pairs(std::span<const http::Field> fields) {
  json pairs = json::array();
  for (const http::Field& field : fields) pairs.push_back(json::array({field.name, field.value}));
  return pairs;
}

}  // namespace

absl::Status Reflect(http::Request& request, http::Response& response) {
  const absl::StatusOr<std::string> body = request.ReadWholeBody(kReflectBodyBytesMax);
  if (absl::IsResourceExhausted(body.status())) {
    return response.Send(413, "text/plain; charset=utf-8",
                         absl::StrCat("at most ", kReflectBodyBytesMax, " bytes are reflected\n"));
  }
  if (!body.ok()) return body.status();
  // In this order in the text, too.
  nlohmann::ordered_json answer;
  answer["method"] = request.method;
  answer["target"] = request.target;
  answer["path"] = request.path;
  answer["query"] = request.query;
  answer["version"] = absl::StrCat("1.", request.version_minor);
  answer["headers"] = Pairs(request.fields);
  answer["trailers"] = Pairs(request.trailers);
  answer["body"] = absl::Base64Escape(*body);
  answer["peer"] = request.peer;
  answer["tenant"] = request.tenant;
  std::string text = answer.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.push_back('\n');
  return response.Send(200, "application/json", text);
}

}  // namespace grove
