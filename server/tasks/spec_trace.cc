#include "server/tasks/spec_trace.h"

#include <optional>

#include "runtime/trace/trace_context.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {

absl::Status CheckTrace(const v1::TaskSpec& spec) {
  if (spec.traceparent().empty() && spec.tracestate().empty()) return absl::OkStatus();
  if (spec.traceparent().empty()) {
    return BadField("spec.tracestate", "TRACEPARENT_INVALID", "goes with a traceparent alone");
  }
  if (ParseTraceparent(spec.traceparent())) return absl::OkStatus();
  return BadField("spec.traceparent", "TRACEPARENT_INVALID",
                  "is none of W3C Trace Context: want 00-TRACE-SPAN-FLAGS, 32, 16 and 2 lower-case "
                  "hexadecimal digits, neither trace nor span all zeros");
}

std::unique_ptr<const SpecTrace> NormaliseTrace(const v1::TaskSpec& spec) {
  const std::optional<TraceContext> context = ParseTraceparent(spec.traceparent());
  if (!context) return nullptr;
  return std::make_unique<const SpecTrace>(
      SpecTrace{FormatTraceparent(*context), NormaliseTracestate(spec.tracestate())});
}

void FillTrace(const SpecTrace& trace, v1::TaskSpec& spec) {
  spec.set_traceparent(trace.parent);
  spec.set_tracestate(trace.state);
}

}  // namespace grove::tasks
