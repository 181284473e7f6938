#include "server/http/serving/request_trace.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "http/message/field.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

// Others would be names without number (OpenTelemetry's conventions of HTTP).
constexpr std::array<std::string_view, 10> kMethods = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"};
constexpr std::string_view kOtherMethod = "_OTHER";
// From here on the server has failed; below, its client.
constexpr int kServerErrorMin = 500;

bool Is(const Field& field, std::string_view name) {
  return field.name.size() == name.size() && EqualsIgnoreCase(field.name, name);
}

// Two traceparents are none; several tracestates are one (3.2.1, 3.3.1).
TraceContext ParentOf(const Request& request) {
  int parents = 0;
  std::string_view traceparent;
  std::string states;
  for (const Field& field : request.fields) {
    if (Is(field, kTraceparent)) {
      ++parents;
      traceparent = field.value;
    } else if (Is(field, kTracestate)) {
      if (!states.empty()) states.push_back(',');
      states.append(field.value);
    }
  }
  if (parents != 1) return {};
  std::optional<TraceContext> parent = ParseTraceparent(traceparent);
  if (!parent) return {};
  std::string state = NormaliseTracestate(states);
  if (!state.empty()) parent->state = std::make_shared<const std::string>(std::move(state));
  return *std::move(parent);
}

std::string_view CountedMethod(std::string_view method) {
  const bool known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  return known ? method : kOtherMethod;
}

}  // namespace

bool RequestTrace::IsNamed(const Request& request) {
  for (const Field& field : request.fields) {
    if (Is(field, kTraceparent)) return true;
  }
  return false;
}

RequestTrace::RequestTrace(Tracer* tracer, Request& request)
    : span_(tracer, ParentOf(request), SpanKind::kServer), scope_(span_.context(), tracer) {
  if (!span_.context().valid()) return;
  id_ = FormatTraceId(span_.context().trace);
  request.context.trace_id = id_;
}

void RequestTrace::NoteEnd(const Request& request, int status, bool whole) {
  if (!span_.recording()) return;
  const std::string_view method = CountedMethod(request.method);
  const std::string_view route = request.context.route;
  span_.set_name(StrCat(method == kOtherMethod ? "HTTP" : method, route.empty() ? "" : " ", route));
  span_.Set("http.request.method", method);
  if (method == kOtherMethod) span_.Set("http.request.method_original", request.method);
  span_.Set("url.path", request.path);
  span_.Set("url.scheme", request.context.scheme);
  if (!route.empty()) span_.Set("http.route", route);
  if (!request.host.empty()) span_.Set("server.address", request.host);
  span_.Set("client.address", request.context.client);
  span_.Set("network.protocol.version", request.version_minor == 0 ? "1.0" : "1.1");
  if (const auto agent = request.Get("user-agent")) span_.Set("user_agent.original", *agent);
  if (!request.context.id.empty()) span_.Set("grove.request_id", request.context.id);
  if (!request.context.tenant.empty()) span_.Set("grove.tenant", request.context.tenant);
  if (status != 0) span_.Set("http.response.status_code", status);
  if (status >= kServerErrorMin) {
    span_.Fail(StrCat(status));
  } else if (!whole) {
    span_.Fail("cut_short", "the answer did not reach its end");
  }
}

}  // namespace grove::http
