#include "http/client/request_head.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/trace/trace_context.h"

namespace grove::http {
namespace {

// They frame the message or speak of the connection alone.
constexpr std::array<std::string_view, 10> kReserved = {
    "host", "content-length", "transfer-encoding", "connection", "keep-alive",
    "te",   "expect",         "trailer",           "upgrade",    "proxy-connection"};

// Known to the origin that they were meant for, and to nobody else.
constexpr std::array<std::string_view, 3> kCredentials = {"authorization", "cookie",
                                                          "proxy-authorization"};

template <size_t N>
bool IsOneOf(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view each) { return EqualsIgnoreCase(name, each); });
}

bool HasField(const HttpFields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [name](const auto& field) { return EqualsIgnoreCase(field.first, name); });
}

absl::Status CheckField(const std::string& name, const std::string& value) {
  if (!IsToken(name)) {
    return absl::InvalidArgumentError(
        StrCat("headers: \"", absl::CHexEscape(name), "\" is not a field name"));
  }
  if (IsOneOf(name, kReserved)) {
    return absl::InvalidArgumentError(
        StrCat("headers: ", name, " is set by the client itself; leave it out"));
  }
  if (!IsValue(value)) {
    return absl::InvalidArgumentError(
        StrCat("headers: the value of ", name, " has control characters"));
  }
  return absl::OkStatus();
}

void AppendField(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(value.empty() ? ":" : ": ").append(value).append("\r\n");
}

bool IsOfUnknownLength(const HttpRequest& request) {
  return request.source != nullptr && !request.source_length.has_value();
}

// What says how long the body is and how it goes, but for Transfer-Encoding.
template <typename F>
void ForEachBodyField(const HttpRequest& request, F field) {
  if (!HasBody(request)) {
    // Servers wait for a body of these, or refuse them, unless told that there is none.
    const bool expected =
        request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (expected) field("Content-Length", "0");
    return;
  }
  if (!IsOfUnknownLength(request)) {
    field("Content-Length",
          std::to_string(request.source != nullptr ? *request.source_length : request.body.size()));
  }
  if (!HasField(request.fields, "content-type")) field("Content-Type", "application/octet-stream");
  if (request.expect_continue) field("Expect", "100-continue");
}

// All but what names the target and frames the message.
template <typename F>
void ForEachField(const HttpRequest& request, const Url& url, const HeadExtras& extras, F field) {
  for (const auto& [name, value] : request.fields) {
    if (extras.without_credentials && IsOneOf(name, kCredentials)) continue;
    field(name, value);
  }
  if (!extras.cookies.empty()) field("Cookie", extras.cookies);
  const std::string credentials = BasicCredentials(url.userinfo);
  if (!credentials.empty() && !HasField(request.fields, "authorization")) {
    field("Authorization", credentials);
  }
  if (!extras.proxy_authorization.empty()) {
    field("Proxy-Authorization", extras.proxy_authorization);
  }
  if (!extras.user_agent.empty() && !HasField(request.fields, "user-agent")) {
    field("User-Agent", extras.user_agent);
  }
  if (!extras.traceparent.empty()) field(kTraceparent, extras.traceparent);
  if (!extras.tracestate.empty()) field(kTracestate, extras.tracestate);
  if (!HasField(request.fields, "accept")) field("Accept", "*/*");
  if (!extras.accept_encoding.empty() && !HasField(request.fields, "accept-encoding")) {
    field("Accept-Encoding", extras.accept_encoding);
  }
}

// RFC 9113, 8.2.3: a field for each, so that those that stay are in the compression's table.
void AppendCookies(HttpFields& fields, std::string_view cookies) {
  while (!cookies.empty()) {
    const size_t semicolon = std::min(cookies.find(';'), cookies.size());
    const std::string_view crumb = TrimBlanks(cookies.substr(0, semicolon));
    if (!crumb.empty()) fields.emplace_back("cookie", crumb);
    cookies.remove_prefix(std::min(semicolon + 1, cookies.size()));
  }
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_code = text[i] == '%' && i + 2 < text.size() &&
                         absl::ascii_isxdigit(static_cast<uint8_t>(text[i + 1])) &&
                         absl::ascii_isxdigit(static_cast<uint8_t>(text[i + 2]));
    if (is_code) {
      decoded += absl::HexStringToBytes(Abseil(text.substr(i + 1, 2)));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

}  // namespace

bool HasBody(const HttpRequest& request) {
  return request.source != nullptr || !request.body.empty();
}

bool IsIdempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

absl::Status CheckRequest(const HttpRequest& request) {
  if (!IsToken(request.method)) {
    return absl::InvalidArgumentError(
        StrCat("method: \"", absl::CHexEscape(request.method), "\" is none"));
  }
  if (request.method == "CONNECT" || request.method == "TRACE") {
    return absl::InvalidArgumentError(StrCat("method: ", request.method, " is not supported"));
  }
  if (request.source != nullptr && !request.body.empty()) {
    return absl::InvalidArgumentError("body: either `body` or `source`");
  }
  if (HasBody(request) && (request.method == "GET" || request.method == "HEAD")) {
    return absl::InvalidArgumentError(StrCat("body: ", request.method, " carries none"));
  }
  if (!request.upgrade.empty() && (request.method != "GET" || HasBody(request))) {
    return absl::InvalidArgumentError("upgrade: goes with GET and no body");
  }
  if (!request.upgrade.empty() && !IsToken(request.upgrade)) {
    return absl::InvalidArgumentError(
        StrCat("upgrade: \"", absl::CHexEscape(request.upgrade), "\" is no protocol"));
  }
  for (const auto& [name, value] : request.fields) {
    if (absl::Status field = CheckField(name, value); !field.ok()) return field;
  }
  return absl::OkStatus();
}

std::string WriteHead(const HttpRequest& request, const Url& url, const HeadExtras& extras) {
  std::string head;
  head.reserve(256);
  head.append(request.method).append(" ");
  if (extras.absolute_target)
    head.append(url.https ? "https://" : "http://").append(url.HostField());
  head.append(url.target).append(" HTTP/1.1\r\n");
  AppendField(head, "Host", url.HostField());
  const auto append = [&head](std::string_view name, std::string_view value) {
    AppendField(head, name, value);
  };
  ForEachField(request, url, extras, append);
  if (HasBody(request) && IsOfUnknownLength(request)) append("Transfer-Encoding", "chunked");
  ForEachBodyField(request, append);
  if (!request.upgrade.empty()) {
    append("Connection", "Upgrade");
    append("Upgrade", request.upgrade);
  }
  head.append("\r\n");
  return head;
}

HttpFields WriteFields(const HttpRequest& request, const Url& url, const HeadExtras& extras) {
  HttpFields fields;
  fields.reserve(request.fields.size() + 10);
  fields.emplace_back(":method", request.method);
  fields.emplace_back(":scheme", url.https ? "https" : "http");
  fields.emplace_back(":authority", url.HostField());
  fields.emplace_back(":path", url.target);
  const auto append = [&fields](std::string_view name, std::string_view value) {
    if (EqualsIgnoreCase(name, "cookie")) return AppendCookies(fields, value);
    std::string& lower = fields.emplace_back(name, value).first;
    absl::AsciiStrToLower(&lower);
  };
  ForEachField(request, url, extras, append);
  ForEachBodyField(request, append);
  return fields;
}

std::string BasicCredentials(std::string_view userinfo) {
  if (userinfo.empty()) return "";
  std::string text = PercentDecoded(userinfo);
  if (userinfo.find(':') == std::string_view::npos) text.push_back(':');
  return StrCat("Basic ", absl::Base64Escape(text));
}

}  // namespace grove::http
