#include "server/handlers/reflect.h"

#include <cstdint>
#include <span>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "http/message/utf8.h"
#include "server/functions/json_input.h"

namespace grove::handlers {
namespace {

using nlohmann::json;

// As JSON can say it: what is no UTF-8 as ISO 8859-1, which obs-text was once meant to be
// (RFC 9110, 5.5), so that its bytes can be told.
std::string Text(std::string_view bytes) {
  if (http::IsUtf8(bytes)) return std::string(bytes);
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x80) text.push_back(static_cast<char>(0xc0 | byte >> 6));
    text.push_back(byte < 0x80 ? c : static_cast<char>(0x80 | (byte & 0x3f)));
  }
  return text;
}

json Pairs(std::span<const http::Field> fields) {
  json pairs = json::array();
  for (const http::Field& field : fields) {
    pairs.push_back(json::array({field.name, Text(field.value)}));
  }
  return pairs;
}

json Certificate(const TlsCertificate& certificate) {
  const auto time = [](absl::Time at) {
    return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", at, absl::UTCTimeZone());
  };
  return {{"subject", certificate.subject},
          {"common_name", certificate.common_name},
          {"issuer", certificate.issuer},
          {"names", certificate.names},
          {"serial", certificate.serial},
          {"fingerprint", certificate.fingerprint},
          {"not_before", time(certificate.not_before)},
          {"not_after", time(certificate.not_after)}};
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
  answer["target"] = Text(request.target);
  answer["path"] = Text(request.path);
  answer["query"] = Text(request.query);
  answer["version"] = absl::StrCat("1.", request.version_minor);
  answer["headers"] = Pairs(request.fields);
  answer["trailers"] = Pairs(request.trailers);
  answer["body"] = absl::Base64Escape(*body);
  answer["peer"] = request.peer;
  answer["tenant"] = request.context.tenant;
  if (request.client_certificate != nullptr) {
    answer["client_certificate"] = Certificate(*request.client_certificate);
  }
  std::string text = answer.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.push_back('\n');
  return response.Send(200, "application/json", text);
}

}  // namespace grove::handlers
