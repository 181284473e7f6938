// AttemptTrace: the span of an attempt, within the trace of whoever spawned its task.
//
// Its fiber works for it till it ends. All attempts of a task are children of the same span; where
// nobody's code spawned it, each is the first of a trace whose id is the task's. Without a tracer
// what the spawner was part of is passed on, and nothing is told. Lives on the attempt's fiber.
#ifndef GROVE_SERVER_WORKER_ATTEMPT_TRACE_H_
#define GROVE_SERVER_WORKER_ATTEMPT_TRACE_H_

#include "grove/internal/v1/link.pb.h"
#include "runtime/trace/span.h"

namespace grove::worker {

class AttemptTrace {
 public:
  AttemptTrace(Tracer* tracer, const internal::v1::StartAttempt& start);
  // Without NoteEnd(): an exception ends the attempt.
  ~AttemptTrace();
  AttemptTrace(const AttemptTrace&) = delete;
  AttemptTrace& operator=(const AttemptTrace&) = delete;

  void NoteEnd(const internal::v1::AttemptEnded& end);

 private:
  Span span_;
  TraceScope scope_;
  bool is_noted_ = false;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_ATTEMPT_TRACE_H_
