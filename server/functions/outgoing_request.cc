#include "server/functions/outgoing_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "http/client/url.h"
#include "http/message/field.h"
#include "runtime/switch/abseil_text.h"
#include "server/functions/json_input.h"

namespace grove::functions {
namespace {

using nlohmann::json;

constexpr double kTimeoutMaxSeconds = 86'400;
constexpr double kBytesMax = 1 << 30;
constexpr double kRedirectsMax = 100;
constexpr std::array<std::string_view, 3> kSigningFields = {"secret", "scheme", "header"};
constexpr std::array<std::pair<std::string_view, FetchMethod>, 7> kMethods = {{
    {"GET", FetchMethod::kGet},
    {"HEAD", FetchMethod::kHead},
    {"POST", FetchMethod::kPost},
    {"PUT", FetchMethod::kPut},
    {"PATCH", FetchMethod::kPatch},
    {"DELETE", FetchMethod::kDelete},
    {"OPTIONS", FetchMethod::kOptions},
}};
// What another moment may mend, if the input does not say.
constexpr std::string_view kRetried[] = {"408", "409", "423", "425", "429", "5xx"};

bool HasField(const FetchFields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [name](const auto& field) {
    return http::EqualsIgnoreCase(field.first, name);
  });
}

absl::Status TakeMethod(const json& input, bool has_body, FetchRequest& fetch) {
  const absl::StatusOr<std::string> name = StringField(input, "method", has_body ? "POST" : "GET");
  if (!name.ok()) return name.status();
  const auto found = std::find_if(kMethods.begin(), kMethods.end(),
                                  [&](const auto& method) { return method.first == *name; });
  if (found == kMethods.end()) {
    return BadInput("method", StrCat(JsonText(*name),
                                     " is not GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"));
  }
  fetch.method = found->second;
  return absl::OkStatus();
}

// One of body, json and body_base64; whether there is one.
absl::StatusOr<bool> TakeBody(const json& input, FetchRequest& fetch) {
  const json* const plain = FindField(input, "body");
  const json* const encoded = FindField(input, "body_base64");
  const bool has_json = input.contains("json");
  const int given = (plain != nullptr ? 1 : 0) + (encoded != nullptr ? 1 : 0) + (has_json ? 1 : 0);
  if (given > 1) return BadInput("body", "want one of body, json and body_base64");
  if (given == 0) return false;
  if (has_json) {
    fetch.body = JsonText(input["json"]);
    if (!HasField(fetch.headers, "content-type")) {
      fetch.headers.emplace_back("Content-Type", "application/json");
    }
    return true;
  }
  absl::StatusOr<std::string> text =
      StringField(input, plain != nullptr ? "body" : "body_base64", "");
  if (!text.ok()) return text.status();
  if (plain != nullptr) {
    fetch.body = *std::move(text);
  } else if (!absl::Base64Unescape(*text, &fetch.body)) {
    return BadInput("body_base64", "is no base64");
  }
  return true;
}

absl::StatusOr<StatusSet> Statuses(const json& input, const char* name) {
  StatusSet set;
  const json& list = *FindField(input, name);
  if (!list.is_array() || list.empty()) {
    return BadInput(name, "expected a list such as [\"2xx\", 404]");
  }
  for (const json& entry : list) {
    const std::string text = entry.is_string() ? entry.get<std::string>() : JsonText(entry);
    if (!set.Add(text)) {
      return BadInput(name, StrCat(JsonText(entry), " is no status such as 404 or \"2xx\""));
    }
  }
  return set;
}

absl::Status TakeStatuses(const json& input, OutgoingRequest& request) {
  if (FindField(input, "expect_status") == nullptr) {
    request.expected.Add("2xx");
  } else if (auto set = Statuses(input, "expect_status"); set.ok()) {
    request.expected = *std::move(set);
  } else {
    return set.status();
  }
  if (FindField(input, "retry_status") == nullptr) {
    for (const std::string_view text : kRetried) request.retried.Add(text);
  } else if (auto set = Statuses(input, "retry_status"); set.ok()) {
    request.retried = *std::move(set);
  } else {
    return set.status();
  }
  return absl::OkStatus();
}

absl::Status TakeLimits(const json& input, FetchLimits& limits) {
  if (FindField(input, "timeout_s") != nullptr) {
    const auto seconds = NumberField(input, "timeout_s", 0.001, kTimeoutMaxSeconds, 0);
    if (!seconds.ok()) return seconds.status();
    limits.timeout = absl::Seconds(*seconds);
  }
  const auto bytes = NumberField(input, "response_bytes_max", 0, kBytesMax, kBytesMax);
  if (!bytes.ok()) return bytes.status();
  limits.body_max_bytes = static_cast<size_t>(*bytes);
  const auto redirects = NumberField(input, "redirects_max", 0, kRedirectsMax, kRedirectsMax);
  if (!redirects.ok()) return redirects.status();
  limits.redirects_max = static_cast<int>(*redirects);
  return absl::OkStatus();
}

absl::Status TakeSigning(const json& input, OutgoingRequest& request) {
  const json* const sign = FindField(input, "sign");
  if (sign == nullptr) return absl::OkStatus();
  if (!sign->is_object()) return BadInput("sign", "expected an object with a secret's name");
  for (const auto& [key, value] : sign->items()) {
    if (std::find(kSigningFields.begin(), kSigningFields.end(), key) == kSigningFields.end()) {
      return BadInput(
          "sign", StrCat("unknown field ", JsonText(key), "; there are secret, scheme, header"));
    }
  }
  RequestSigning& signing = request.signing.emplace();
  absl::StatusOr<std::string> secret = RequiredString(*sign, "secret");
  if (!secret.ok()) return BadInput("sign", Std(secret.status().message()));
  signing.secret = *std::move(secret);
  const absl::StatusOr<std::string> scheme = StringField(*sign, "scheme", "standard_webhooks");
  if (!scheme.ok()) return BadInput("sign", Std(scheme.status().message()));
  absl::StatusOr<std::string> header = StringField(*sign, "header", "");
  if (!header.ok()) return BadInput("sign", Std(header.status().message()));
  if (*scheme == "standard_webhooks") {
    if (!header->empty())
      return BadInput("sign", "header: the names of standard_webhooks' are set");
  } else if (*scheme == "body_sha256") {
    signing.scheme = RequestSigning::Scheme::kBodySha256;
    signing.header = header->empty() ? "X-Signature-256" : *std::move(header);
  } else {
    return BadInput("sign", "scheme: want standard_webhooks or body_sha256");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<std::string, std::string>> Pair(const json& name, const json& value) {
  if (!name.is_string() || !value.is_string()) {
    return BadInput("headers", "names and values must be strings");
  }
  return std::pair(name.get<std::string>(), value.get<std::string>());
}

}  // namespace

absl::StatusOr<FetchFields> HeadersField(const json& input) {
  FetchFields fields;
  const json* const headers = FindField(input, "headers");
  if (headers == nullptr) return fields;
  if (!headers->is_object() && !headers->is_array()) {
    return BadInput("headers", "expected an object, or a list of [name, value]");
  }
  for (const auto& [key, entry] : headers->items()) {
    const bool is_pair = entry.is_array() && entry.size() == 2;
    if (headers->is_array() && !is_pair) return BadInput("headers", "expected [name, value]");
    auto field = is_pair ? Pair(entry[0], entry[1]) : Pair(json(key), entry);
    if (!field.ok()) return field.status();
    fields.push_back(*std::move(field));
  }
  return fields;
}

bool StatusSet::Add(std::string_view text) {
  if (text.size() != 3 || text[0] < '1' || text[0] > '5') return false;
  const int first = 100 * (text[0] - '0');
  if (text.substr(1) == "xx") {
    ranges_.push_back({first, first + 99});
    return true;
  }
  if (!absl::ascii_isdigit(text[1]) || !absl::ascii_isdigit(text[2])) return false;
  const int status = first + 10 * (text[1] - '0') + (text[2] - '0');
  ranges_.push_back({status, status});
  return true;
}

bool StatusSet::Has(int status) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [status](const Range& range) {
    return status >= range.first && status <= range.last;
  });
}

absl::StatusOr<OutgoingRequest> ParseOutgoingRequest(std::string_view text) {
  const absl::StatusOr<json> input = ParseInput(
      text, {"url", "method", "headers", "body", "json", "body_base64", "expect_status",
             "retry_status", "timeout_s", "response_bytes_max", "redirects_max", "sign"});
  if (!input.ok()) return input.status();
  OutgoingRequest request;
  absl::StatusOr<std::string> url = RequiredString(*input, "url");
  if (!url.ok()) return url.status();
  if (absl::StatusOr<http::Url> parsed = http::Url::Parse(*url); !parsed.ok()) {
    return BadInput("url", Std(parsed.status().message()));
  }
  request.fetch.url = *std::move(url);
  absl::StatusOr<FetchFields> headers = HeadersField(*input);
  if (!headers.ok()) return headers.status();
  request.fetch.headers = *std::move(headers);
  const absl::StatusOr<bool> has_body = TakeBody(*input, request.fetch);
  if (!has_body.ok()) return has_body.status();
  if (absl::Status taken = TakeMethod(*input, *has_body, request.fetch); !taken.ok()) return taken;
  if (absl::Status taken = TakeStatuses(*input, request); !taken.ok()) return taken;
  if (absl::Status taken = TakeLimits(*input, request.fetch.limits); !taken.ok()) return taken;
  if (absl::Status taken = TakeSigning(*input, request); !taken.ok()) return taken;
  return request;
}

}  // namespace grove::functions
