// InsideCalls: what code in the workers asks of the task engine, over the links.
//
// The same checks as for calls of the API: a caller is of one tenant, and what is another's does
// not exist. Whose code asks is told by the worker, of its fibers' labels. Answers go back when a
// task is safe, or has ended, all of a turn in one frame; where the link breaks before, the worker
// asks again over the next one, so nothing is kept for it. A control that hands over answers
// nothing: its successor is asked. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_INSIDE_CALLS_H_
#define GROVE_SERVER_CONTROL_INSIDE_CALLS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/internal/v1/link.pb.h"
#include "server/control/engine_driver.h"
#include "server/control/task_waits.h"
#include "server/tenancy/principal.h"

namespace grove::control {

// What one caller spawned in one frame, for the audit log.
struct InsideSpawns {
  int32_t worker = 0;
  std::string tenant;  // short name
  std::string task;    // whose code it was; empty: a handler's or periodic code
  int asked = 0;
  int refused = 0;
  absl::Status first_refusal;
};

class InsideCalls {
 public:
  // As EngineDriver::Sender.
  using Sender = absl::AnyInvocable<void(int32_t worker, internal::v1::ControlFrame frame)>;

  // OK, or why nothing may be spawned.
  using Gate = absl::AnyInvocable<absl::Status()>;
  using Auditor = absl::AnyInvocable<void(const InsideSpawns& spawns)>;

  // `driver` must outlive it, and it the driver's Flush().
  explicit InsideCalls(EngineDriver& driver) : driver_(driver) {}
  InsideCalls(const InsideCalls&) = delete;
  InsideCalls& operator=(const InsideCalls&) = delete;

  // Before the first frame.
  void set_sender(Sender sender) { sender_ = std::move(sender); }
  void set_gate(Gate gate) { gate_ = std::move(gate); }
  void set_auditor(Auditor auditor) { auditor_ = std::move(auditor); }
  // Of the frame, what is asked from inside.
  void Take(int32_t worker, const internal::v1::WorkerFrame& frame);
  // Whoever speaks for the slot next asks anew.
  void LinkEnded(int32_t worker);

  // Calls that wait for an answer.
  size_t open_calls(int32_t worker) const;

 private:
  struct Open {
    // Null: it waits for the store.
    TaskWaits* waits = nullptr;
    TaskWaits::WaitId wait = 0;
  };
  struct Link {
    // Tells what an earlier link asked from what this one does.
    uint64_t generation = 0;
    absl::flat_hash_map<uint64_t, Open> open;
  };
  void SpawnAll(int32_t worker, const internal::v1::WorkerFrame& frame);
  absl::StatusOr<tasks::Spawned> Admit(const internal::v1::InsideSpawn& asked,
                                       const tenancy::Principal& who);
  absl::Status Spawn(int32_t worker, const internal::v1::InsideSpawn& asked,
                     internal::v1::ControlFrame& answers);
  static void Answer(uint64_t id, const tenancy::Principal& who, const absl::Status& status,
                     const std::string& name, internal::v1::ControlFrame& frame);
  void Wait(int32_t worker, const internal::v1::InsideWait& asked);
  // The task has ended, or is not there.
  // As AnswerWait(), of a task that may have to be recalled.
  void AnswerEnded(int32_t worker, uint64_t id, tasks::TaskId task,
                   const tenancy::PrincipalPtr& who);
  void AnswerWait(int32_t worker, uint64_t id, tasks::TaskId task, const tenancy::Principal& who);
  void RefuseWait(int32_t worker, uint64_t id, const tenancy::Principal& who,
                  const absl::Status& why);
  void SendWaited(int32_t worker, uint64_t id, v1::Task task);
  // Calls `then` once `task` is notified or the time is over; never if the link ends before.
  absl::Status After(TaskWaits& waits, tasks::TaskId task, absl::Duration timeout, int32_t worker,
                     uint64_t id, absl::AnyInvocable<void(TaskWaits::End)> then);

  EngineDriver& driver_;
  Sender sender_;
  Gate gate_ = [] { return absl::OkStatus(); };
  Auditor auditor_ = [](const InsideSpawns&) {};
  absl::flat_hash_map<int32_t, Link> links_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_INSIDE_CALLS_H_
