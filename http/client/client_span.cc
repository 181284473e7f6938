#include "http/client/client_span.h"

#include <algorithm>

#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

// From here on a client's request has failed (OpenTelemetry's conventions of HTTP).
constexpr int kClientErrorMin = 400;

bool HasTrace(const HttpRequest& request) {
  return std::any_of(request.fields.begin(), request.fields.end(),
                     [](const auto& field) { return EqualsIgnoreCase(field.first, kTraceparent); });
}

// Queries carry what is nobody else's.
std::string WithoutQuery(const Url& url) {
  std::string text = url.ToString();
  text.resize(std::min(text.find('?'), text.size()));
  return text;
}

}  // namespace

ClientSpan::ClientSpan(const HttpRequest& request, const Url& url, int resends) {
  if (!span_.context().valid()) return;
  if (!HasTrace(request)) traceparent_ = FormatTraceparent(span_.context());
  if (!span_.recording()) return;
  span_.set_name(request.method);
  span_.Set("http.request.method", request.method);
  span_.Set("url.full", WithoutQuery(url));
  span_.Set("server.address", url.host);
  span_.Set("server.port", url.port);
  if (resends > 0) span_.Set("http.request.resend_count", resends);
}

void ClientSpan::FillHead(HeadExtras& extras) const {
  extras.traceparent = traceparent_;
  const auto& state = span_.context().state;
  extras.tracestate =
      traceparent_.empty() || state == nullptr ? std::string_view() : std::string_view(*state);
}

absl::Status ClientSpan::Fail(absl::Status status) {
  if (!status.ok()) span_.Fail(status);
  return status;
}

void ClientSpan::TakeAnswer(int status, HttpProtocol protocol) {
  if (!span_.recording()) return;
  span_.Set("http.response.status_code", status);
  span_.Set("network.protocol.version", protocol == HttpProtocol::kHttp2 ? "2" : "1.1");
  if (status >= kClientErrorMin) span_.Fail(StrCat(status));
}

}  // namespace grove::http
