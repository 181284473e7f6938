// Workers: what control knows of each worker, and what follows for its attempts.
//
// After every connection control and worker compare notes (Hello): an attempt that control does not
// know is cancelled, one that the worker does not know is interrupted, one of an earlier process is
// interrupted. Everything else goes on.
#ifndef GROVE_SERVER_TASKS_WORKERS_H_
#define GROVE_SERVER_TASKS_WORKERS_H_

#include "absl/status/status.h"
#include "grove/internal/v1/link.pb.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

absl::Status ConnectWorker(EngineState& state, internal::v1::Hello hello, Effects& effects);
void UnlinkWorker(EngineState& state, int32_t worker);
void LoseWorker(EngineState& state, int32_t worker, Effects& effects);
// It gets nothing more. It, too, is gone for the queues that waited for room on it.
void DrainWorker(EngineState& state, int32_t worker);
void SetCapacity(EngineState& state, int32_t worker, int64_t capacity);
// While it is stuck it gets nothing more, what it has not started goes to others, and what it was
// told to give up keeps no place in a pool.
// False if nothing has changed.
bool SetStuck(EngineState& state, int32_t worker, bool is_stuck, Effects& effects);
// The worker says that an attempt is over.
void TakeEnd(EngineState& state, int32_t worker, internal::v1::AttemptEnded&& ended,
             Effects& effects);
// Whether what was recovered has to wait for what workers have yet to say.
bool AwaitsWorkers(const EngineState& state);
// Gives up the attempts of workers whose grace is over.
void EndGraces(EngineState& state, Effects& effects);
// When EndGraces() has something to do; INT64_MAX if never.
EngineMicros NextGraceEnd(const EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_WORKERS_H_
