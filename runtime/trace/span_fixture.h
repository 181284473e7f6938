// KeptSpans: keeps the spans that it is told; for tests.
#ifndef GROVE_RUNTIME_TRACE_SPAN_FIXTURE_H_
#define GROVE_RUNTIME_TRACE_SPAN_FIXTURE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/trace/span.h"

namespace grove {

class KeptSpans final : public SpanSink {
 public:
  void Take(std::unique_ptr<SpanRecord> span) override { spans.push_back(std::move(*span)); }
  std::vector<SpanRecord> spans;
};

// As text; empty: it has none of that name.
inline std::string AttributeOf(const SpanRecord& span, std::string_view key) {
  for (const auto& [each, value] : span.attributes) {
    if (each != key) continue;
    if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
    if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
    return std::get<std::string>(value);
  }
  return "";
}

// What a caller elsewhere has said.
inline TraceContext CallersTrace(bool sampled = true) {
  TraceContext context;
  context.trace = {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736};
  context.span = 0x00f067aa0ba902b7;
  context.sampled = sampled;
  context.state = std::make_shared<const std::string>("a=1");
  return context;
}

}  // namespace grove

#endif  // GROVE_RUNTIME_TRACE_SPAN_FIXTURE_H_
