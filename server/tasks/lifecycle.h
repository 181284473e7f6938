// Lifecycle: how a task's state changes.
//
// One machine, whose moves kMayFollow lists:
//
//   SCHEDULED -> QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED | TIMED_OUT
//        ^                    |  \-> QUEUED (interrupted: at the front, not counted)
//        +--------------------+      (failed or timed out, attempts left: waits for the back-off)
//   SCHEDULED, QUEUED -> CANCELLED
//   QUEUED -> TIMED_OUT (nothing was started in time)
//   QUEUED -> SCHEDULED (somebody wants it later)
//   RUNNING -> SCHEDULED, QUEUED (it has suspended itself)
//   SCHEDULED -> FAILED (what it comes after has not succeeded)
//   SUCCEEDED, FAILED, CANCELLED, TIMED_OUT -> QUEUED (somebody wants it again), or SCHEDULED,
//   while it is held (holds.h)
//
// A new record is in no state and enters SCHEDULED or QUEUED; one of the store enters the state in
// which it was stored. Every transition keeps every index, count and hold on room right, and writes
// durable tasks to the store (CheckInvariants of invariants.h says what "right" is).
//
// Room on a worker and in a pool belongs to the LiveAttempt, not to the task: it is held until the
// worker says that the attempt is over, whatever became of the task.
#ifndef GROVE_SERVER_TASKS_LIFECYCLE_H_
#define GROVE_SERVER_TASKS_LIFECYCLE_H_

#include <memory>
#include <string>
#include <string_view>

#include "google/rpc/status.pb.h"
#include "grove/internal/v1/link.pb.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/places.h"
#include "server/tasks/turns.h"

namespace grove::tasks {

// Why an attempt was interrupted.
enum class Interruption {
  kWorkerDied,  // Counts towards interruptions_max.
  kGivenBack,   // The worker drains, or the attempt never reached it.
};

// Rows are what a task leaves, columns what it reaches, by grove.v1.TaskState.
inline constexpr bool kMayFollow[v1::TaskState_ARRAYSIZE][v1::TaskState_ARRAYSIZE] = {
    // no state  SCHEDULED  QUEUED  RUNNING  SUCCEEDED  FAILED  CANCELLED  TIMED_OUT
    {false, true, true, true, true, true, true, true},       // no state
    {false, false, true, false, false, true, true, false},   // SCHEDULED
    {false, true, false, true, false, false, true, true},    // QUEUED
    {false, true, true, false, true, true, true, true},      // RUNNING
    {false, true, true, false, false, false, false, false},  // SUCCEEDED
    {false, true, true, false, false, false, false, false},  // FAILED
    {false, true, true, false, false, false, false, false},  // CANCELLED
    {false, true, true, false, false, false, false, false},  // TIMED_OUT
};

// The one place where a task's state is written. Takes the task out of what belongs to the old
// state (deadline, lists, counts) and puts it where the new one wants it. A move that kMayFollow
// does not list is a programming error: the process dies. The functions below call it.
void SetState(EngineState& state, Task* task, v1::TaskState to);

// --- Tasks ---------------------------------------------------------------------------------------

// A new record's rules become one with those of its function's last task, if they are the same.
void ShareRetryRules(EngineState& state, Task& task);
// Takes over a new record in no state.
Task* AddTask(EngineState& state, std::unique_ptr<Task> task);
// Requires an ended, settled task.
void DropTask(EngineState& state, Task* task, Effects& effects);

// From any state that has not ended, or none.
void Schedule(EngineState& state, Task* task, EngineMicros at_us);
void Enqueue(EngineState& state, Task* task, bool to_front);
// A durable task's insert is on disk: it may start.
void MarkStored(EngineState& state, Task* task);
// Requires QUEUED in the backlog; the worker has room and the pool too.
void StartOn(EngineState& state, Task* task, int32_t worker, Effects& effects);
// `end_state` is one of the four ends; an error for all but SUCCEEDED.
void End(EngineState& state, Task* task, v1::TaskState end_state,
         std::unique_ptr<google::rpc::Status> error);
// For clients at once; a running attempt is told to stop. Requires a task that has not ended.
void CancelTask(EngineState& state, Task* task, std::string_view reason, Effects& effects);
// Pauses it, or resumes it if `why` is nullptr. Its attempt, if it runs, goes on. Requires a task
// that has not ended.
void SetPaused(EngineState& state, Task* task, std::unique_ptr<std::string> why);
void SetPriority(EngineState& state, Task* task, int32_t priority);
// As AcceptedSpec's; empty: it names none any more. Requires SCHEDULED or QUEUED.
void SetLimitKey(EngineState& state, Task* task, const std::string& key);
// Requires SCHEDULED or QUEUED. A time that is over is now.
void Postpone(EngineState& state, Task* task, EngineMicros at_us);
// Puts an ended, settled task back into its queue, as if no attempt had failed.
void Revive(EngineState& state, Task* task);
// Ends a QUEUED task whose schedule_to_start_timeout is over.
void Expire(EngineState& state, Task* task, Effects& effects);

// --- Attempts ------------------------------------------------------------------------------------

// Registers a running attempt and takes its room.
LiveAttempt* HoldRoom(EngineState& state, Task* task, uint64_t attempt, int32_t worker,
                      uint64_t incarnation, int64_t timeout_us);
// Gives the room back; destroys the record.
void ReleaseRoom(EngineState& state, LiveAttempt* attempt);
// The worker has the input, or never will: it no longer counts as on its way.
void MarkBegun(EngineState& state, LiveAttempt* attempt);
// Tells the worker to stop it, and lets go of the task; the room stays held, but that of an attempt
// that the worker has not heard of. `attempt` may be gone afterwards.
void Abandon(EngineState& state, LiveAttempt* attempt, std::string_view reason, Effects& effects);
// Releases the room of what was abandoned of this task, without the workers' word. False if there
// was nothing.
bool ReleaseAbandoned(EngineState& state, TaskId task);

// What the worker reported becomes the task's state; acknowledged when that is on disk. Requires a
// RUNNING task whose attempt's room was released.
void FinishAttempt(EngineState& state, Task* task, internal::v1::AttemptEnded&& ended,
                   int32_t worker, Effects& effects);
// The worker has begun the attempt, or its function has said something: the task's next deadline is
// counted from now.
void Begin(EngineState& state, LiveAttempt* attempt);
void Hear(EngineState& state, LiveAttempt* attempt);
// For the next attempt; nothing if it is empty. The caller charges and commits.
void SetCheckpoint(Task* task, std::string checkpoint);
// Ends the attempt of a RUNNING task without the worker's word, because its time-out is over or it
// has been silent for too long; takes it back if the worker has not even started it.
void TimeOut(EngineState& state, Task* task, Effects& effects);
// For a RUNNING task whose attempt is `loading`: its input has come and goes to the worker, or
// cannot be had. DATA_LOSS: it never will be, and the task FAILS; otherwise it is tried again.
void TakeInput(EngineState& state, Task* task, const std::string& input, Effects& effects);
void LoseInput(EngineState& state, Task* task, const absl::Status& why, Effects& effects);
// The task goes to the front of its queue, as if the attempt had not been; what the worker has of
// it is cancelled. Requires that the attempt is some task's.
void TakeBack(EngineState& state, LiveAttempt* attempt, std::string_view reason, Effects& effects);
// Releases the room; the task, if it still is the attempt's, goes back to the front of its queue or
// FAILS.
void Interrupt(EngineState& state, LiveAttempt* attempt, Interruption why, std::string_view reason,
               Effects& effects);

std::unique_ptr<google::rpc::Status> MakeError(absl::StatusCode code, std::string_view reason,
                                               std::string message);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_LIFECYCLE_H_
