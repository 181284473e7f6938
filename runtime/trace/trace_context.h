// TraceContext: which trace a piece of work is part of, as W3C Trace Context (level 1) writes it.
//
// Reads and writes the fields `traceparent` and `tracestate` of whoever asks and is asked. Pure;
// any thread.
#ifndef GROVE_RUNTIME_TRACE_TRACE_CONTEXT_H_
#define GROVE_RUNTIME_TRACE_TRACE_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace grove {

inline constexpr std::string_view kTraceparent = "traceparent";
inline constexpr std::string_view kTracestate = "tracestate";
// What has to be passed on at least (3.3.1.5), and all that is.
inline constexpr size_t kTracestateBytesMax = 512;
inline constexpr int kTracestateMembersMax = 32;

struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;

  bool valid() const { return (high | low) != 0; }
  bool operator==(const TraceId&) const = default;
};

struct TraceContext {
  TraceId trace;
  // The span that others are children of; 0: none yet.
  uint64_t span = 0;
  // Its spans are told to whoever gathers them.
  bool sampled = false;
  // What other systems said, passed on as it is; null: nothing.
  std::shared_ptr<const std::string> state;

  bool valid() const { return trace.valid() && span != 0; }
};

// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01". Nothing where it is malformed; of a
// later version, what this one knows of it.
std::optional<TraceContext> ParseTraceparent(std::string_view text);
// Requires: valid().
std::string FormatTraceparent(const TraceContext& context);

// The value of `tracestate`, or of several of them joined by commas, as it is passed on. Nothing of
// a list that is malformed or has too many members; of one that is too long, the first members that
// fit, longer ones than 128 bytes left out first.
std::string NormaliseTracestate(std::string_view text);

// In lower-case hexadecimal, 32 and 16 digits.
std::string FormatTraceId(TraceId trace);
std::string FormatSpanId(uint64_t span);

}  // namespace grove

#endif  // GROVE_RUNTIME_TRACE_TRACE_CONTEXT_H_
