// FormatOtlp: spans as the JSON of OpenTelemetry's protocol (OTLP 1.x, ExportTraceServiceRequest).
//
// As protobuf's JSON mapping has it, but for what the protocol says otherwise: ids in hexadecimal,
// enumerations as numbers. Pure; any thread.
#ifndef GROVE_SERVER_TRACING_OTLP_JSON_H_
#define GROVE_SERVER_TRACING_OTLP_JSON_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/trace/span.h"

namespace grove::tracing {

// Longer values are cut.
inline constexpr size_t kSpanTextBytesMax = 2048;

// Whose spans they are.
struct SpanResource {
  std::string service;   // service.name
  std::string instance;  // service.instance.id: of this process, and of no other
  std::string host;      // host.name
  int64_t pid = 0;
  int worker = 0;  // its slot
};

std::string FormatOtlp(const SpanResource& resource,
                       std::span<const std::unique_ptr<SpanRecord>> spans);

// Of the answer: how many of the spans the collector did not want, and why.
struct RejectedSpans {
  uint64_t count = 0;
  std::string why;
};
RejectedSpans ParseRejected(std::string_view answer);

}  // namespace grove::tracing

#endif  // GROVE_SERVER_TRACING_OTLP_JSON_H_
