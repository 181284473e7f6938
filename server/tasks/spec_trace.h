// SpecTrace: the trace that a task's attempts are part of, as its spec has it.
//
// Nothing but texts to control: it begins no span. Pure.
#ifndef GROVE_SERVER_TASKS_SPEC_TRACE_H_
#define GROVE_SERVER_TASKS_SPEC_TRACE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grove/v1/task_service.pb.h"

namespace grove::tasks {

struct SpecTrace {
  std::string parent;  // traceparent, of version 00
  std::string state;   // tracestate; empty: none
};

// INVALID_ARGUMENT (TRACEPARENT_INVALID): a traceparent that is none, or a tracestate alone.
absl::Status CheckTrace(const v1::TaskSpec& spec);
// Of a checked spec; nullptr: it has none. A malformed tracestate is dropped.
std::unique_ptr<const SpecTrace> NormaliseTrace(const v1::TaskSpec& spec);
void FillTrace(const SpecTrace& trace, v1::TaskSpec& spec);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SPEC_TRACE_H_
