#include "server/tracing/otlp_json.h"

#include <algorithm>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace grove::tracing {
namespace {

constexpr int kStatusError = 2;

bool IsPlain(char c) {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

void AppendText(std::string_view text, std::string& json) {
  const std::string_view cut = text.substr(0, kSpanTextBytesMax);
  if (std::all_of(cut.begin(), cut.end(), IsPlain)) {
    json.append("\"").append(cut).append("\"");
    return;
  }
  // What is no UTF-8 is shown as U+FFFD.
  json.append(nlohmann::json(std::string(cut))
                  .dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace));
}

// 64-bit numbers are texts in protobuf's JSON.
void AppendNumber(int64_t number, std::string& json) {
  absl::StrAppend(&json, "\"", number, "\"");
}

void AppendValue(const SpanValue& value, std::string& json) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    json.append("{\"intValue\":");
    AppendNumber(*number, json);
  } else if (const auto* truth = std::get_if<bool>(&value)) {
    json.append("{\"boolValue\":").append(*truth ? "true" : "false");
  } else {
    json.append("{\"stringValue\":");
    AppendText(std::get<std::string>(value), json);
  }
  json.push_back('}');
}

void AppendAttribute(std::string_view key, const SpanValue& value, std::string& json) {
  if (json.back() == '}') json.push_back(',');
  json.append("{\"key\":");
  AppendText(key, json);
  json.append(",\"value\":");
  AppendValue(value, json);
  json.push_back('}');
}

void AppendResource(const SpanResource& resource, std::string& json) {
  json.append("{\"attributes\":[");
  AppendAttribute("service.name", resource.service, json);
  AppendAttribute("service.instance.id", resource.instance, json);
  AppendAttribute("host.name", resource.host, json);
  AppendAttribute("process.pid", resource.pid, json);
  AppendAttribute("grove.worker", int64_t{resource.worker}, json);
  AppendAttribute("telemetry.sdk.name", std::string("grove"), json);
  AppendAttribute("telemetry.sdk.language", std::string("cpp"), json);
  json.append("]}");
}

void AppendSpan(const SpanRecord& span, std::string& json) {
  json.append("{\"traceId\":\"").append(FormatTraceId(span.context.trace));
  json.append("\",\"spanId\":\"").append(FormatSpanId(span.context.span)).push_back('"');
  if (span.parent != 0) {
    json.append(",\"parentSpanId\":\"").append(FormatSpanId(span.parent)).push_back('"');
  }
  if (span.context.state != nullptr) {
    json.append(",\"traceState\":");
    AppendText(*span.context.state, json);
  }
  json.append(",\"name\":");
  AppendText(span.name, json);
  absl::StrAppend(&json, ",\"kind\":", static_cast<int>(span.kind), ",\"startTimeUnixNano\":");
  AppendNumber(absl::ToUnixNanos(span.start), json);
  json.append(",\"endTimeUnixNano\":");
  AppendNumber(absl::ToUnixNanos(span.end), json);
  json.append(",\"attributes\":[");
  for (const auto& [key, value] : span.attributes) AppendAttribute(key, value, json);
  json.push_back(']');
  if (span.failed) {
    absl::StrAppend(&json, ",\"status\":{\"code\":", kStatusError);
    if (!span.error.empty()) {
      json.append(",\"message\":");
      AppendText(span.error, json);
    }
    json.push_back('}');
  }
  json.push_back('}');
}

}  // namespace

std::string FormatOtlp(const SpanResource& resource,
                       std::span<const std::unique_ptr<SpanRecord>> spans) {
  std::string json = "{\"resourceSpans\":[{\"resource\":";
  AppendResource(resource, json);
  json.append(",\"scopeSpans\":[{\"scope\":{\"name\":\"grove\"},\"spans\":[");
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0) json.push_back(',');
    AppendSpan(*spans[i], json);
  }
  json.append("]}]}]}");
  return json;
}

RejectedSpans ParseRejected(std::string_view answer) {
  RejectedSpans rejected;
  const nlohmann::json json = nlohmann::json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("partialSuccess")) return rejected;
  const nlohmann::json& partial = json["partialSuccess"];
  if (!partial.is_object()) return rejected;
  if (partial.contains("rejectedSpans")) {
    const nlohmann::json& count = partial["rejectedSpans"];
    if (count.is_number_unsigned()) rejected.count = count.get<uint64_t>();
    if (count.is_string() && !absl::SimpleAtoi(count.get<std::string>(), &rejected.count)) {
      rejected.count = 0;
    }
  }
  if (partial.contains("errorMessage") && partial["errorMessage"].is_string()) {
    rejected.why = partial["errorMessage"].get<std::string>();
  }
  return rejected;
}

}  // namespace grove::tracing
