// SpanEnd: what becomes of the spans that were to be told; counted by it. Values.
#ifndef GROVE_SERVER_TRACING_SPAN_END_H_
#define GROVE_SERVER_TRACING_SPAN_END_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace grove::tracing {

enum class SpanEnd : uint8_t {
  kTold,     // the collector has it
  kDropped,  // too many waited
  kFailed,   // the collector does not want it, or was away for too long
};
inline constexpr std::array<std::string_view, 3> kSpanEnds = {"told", "dropped", "failed"};

// Since the worker began, by SpanEnd.
using SpanCounts = std::array<uint64_t, kSpanEnds.size()>;

}  // namespace grove::tracing

#endif  // GROVE_SERVER_TRACING_SPAN_END_H_
