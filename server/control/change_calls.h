// ChangeCalls: what is done to tasks and queues that are there.
//
// Each call answers once its change is on disk. Batches run in slices, so that the hub never waits
// for them, and slow down while the disk does not keep up. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_CHANGE_CALLS_H_
#define GROVE_SERVER_CONTROL_CHANGE_CALLS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "runtime/hub/hub.h"
#include "server/control/call.h"
#include "server/control/engine_driver.h"
#include "server/control/slices.h"

namespace grove::control {

// Of tasks that a batch names, and of those that it was refused.
inline constexpr int kBatchNamedMax = 20;
// A change that the disk has not confirmed by then is answered with UNAVAILABLE.
inline constexpr absl::Duration kChangeStoreMax = absl::Seconds(60);
// So long before a batch's call is over it answers with how far it has come.
inline constexpr absl::Duration kBatchMargin = absl::Milliseconds(500);

class ChangeCalls {
 public:
  ChangeCalls(Hub& hub, EngineDriver& driver) : hub_(hub), driver_(driver) {}

  // `task`, if it is not nullptr, gets the task as it is then.
  void Change(const CallPtr& call, std::string_view name, tasks::TaskAction action, v1::Task* task);
  // Does it to all that the task's function has spawned, too, and to what those have.
  void ChangeFamily(const CallPtr& call, const std::string& name, tasks::TaskAction action,
                    v1::Task& task);
  void Update(const CallPtr& call, const v1::UpdateTaskRequest& request,
              v1::UpdateTaskResponse& response);
  void Batch(const CallPtr& call, const v1::BatchChangeTasksRequest& request,
             v1::BatchChangeTasksResponse& response);

  void PauseQueue(const CallPtr& call, std::string_view name, std::string_view reason,
                  v1::Queue& queue);
  void ResumeQueue(const CallPtr& call, std::string_view name, v1::Queue& queue);
  void PurgeQueue(const CallPtr& call, const v1::PurgeQueueRequest& request,
                  v1::PurgeQueueResponse& response);

 private:
  // One batch on its way.
  struct Batched {
    tasks::TaskQuery query;
    tasks::TaskAction action;
    bool validate_only = false;
    // INT64_MAX: all.
    int64_t limit = INT64_MAX;
    // Neither this one nor earlier tasks are of the batch.
    tasks::TaskId oldest;
    // Later tasks are not of the batch.
    tasks::TaskId newest;
    // Evicted tasks may be of the batch.
    bool looks_at_ended = true;
    // It answers shortly before the call's time is over, and says that there is more.
    bool may_stop = true;
  };

  // Does it, and waits for an end of the task's own that is on its way to the disk. **Parks.**
  absl::StatusOr<bool> ChangeOne(tasks::TaskId id, const tasks::TaskAction& action);
  // Runs it on a fiber of its own, then `done`; neither if the client goes away meanwhile.
  void RunBatch(const CallPtr& call, Batched batch, v1::BatchChangeTasksResponse& response,
                absl::AnyInvocable<void()> done);
  // First the task, then those that it is an ancestor of. **Parks.**
  void ChangeFamilyOf(Slices& slices, const CallPtr& call, tasks::TaskId id, Batched batch,
                      v1::Task& task);
  // False once the call is finished. **Parks.**
  bool ChangeAll(Slices& slices, Call& call, const Batched& batch,
                 v1::BatchChangeTasksResponse& response);
  // False once there is enough.
  bool TakeNext(const Call& call, const Batched& batch, tasks::TaskId id,
                v1::BatchChangeTasksResponse& response);
  // **Parks.**
  void FinishWithTask(const CallPtr& call, tasks::TaskId id, v1::Task& task);
  // Answers with the queue, once what was said of it is on disk.
  void FinishWithQueue(const CallPtr& call, const absl::Status& said, std::string_view name,
                       v1::Queue& queue);

  Hub& hub_;
  EngineDriver& driver_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CHANGE_CALLS_H_
