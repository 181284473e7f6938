// TaskCalls: what TaskService's methods do on the hub.
//
// Spawns answer once the task is safe, waits once the tasks have ended. Answers carry inputs and
// outputs only if asked to, are bounded in bytes, and go on by page. A client that goes away leaves
// nothing behind. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_TASK_CALLS_H_
#define GROVE_SERVER_CONTROL_TASK_CALLS_H_

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/v1/task_service.pb.h"
#include "runtime/hub/hub.h"
#include "server/control/call.h"
#include "server/control/engine_driver.h"
#include "server/control/slices.h"

namespace grove::control {

inline constexpr int kBatchMax = 10'000;
// So that what stands for a spec's fits.
inline constexpr size_t kBatchRequestIdMax = 100;
inline constexpr absl::Duration kWaitMax = absl::Hours(1);
// A wait without a time-out answers this long before the call's deadline, so that the client gets
// the task as it is instead of DEADLINE_EXCEEDED.
inline constexpr absl::Duration kAnswerMargin = absl::Milliseconds(100);
// A durable spawn that the disk has not confirmed by then is answered with UNAVAILABLE.
inline constexpr absl::Duration kStoreWaitMax = absl::Seconds(60);

// How long to wait: as asked, or until shortly before the deadline, at most kWaitMax.
// INVALID_ARGUMENT if negative.
absl::StatusOr<absl::Duration> WaitTimeout(const google::protobuf::Duration& asked,
                                           absl::Duration until_deadline);

// The answer to one that takes longer.
absl::Status SpawnNotOnDisk();

class TaskCalls {
 public:
  TaskCalls(Hub& hub, EngineDriver& driver) : hub_(hub), driver_(driver) {}

  // Take what they keep out of the specs.
  void Spawn(const CallPtr& call, v1::SpawnTaskRequest& request, v1::SpawnTaskResponse& response);
  void BatchSpawn(const CallPtr& call, v1::BatchSpawnTasksRequest& request,
                  v1::BatchSpawnTasksResponse& response);
  void Get(const CallPtr& call, const v1::GetTaskRequest& request, v1::GetTaskResponse& response);
  void Wait(const CallPtr& call, const v1::WaitTaskRequest& request,
            v1::WaitTaskResponse& response);
  void BatchWait(const CallPtr& call, const v1::BatchWaitTasksRequest& request,
                 v1::BatchWaitTasksResponse& response);
  void List(const CallPtr& call, const v1::ListTasksRequest& request,
            v1::ListTasksResponse& response);
  void Count(const CallPtr& call, const v1::CountTasksRequest& request,
             v1::CountTasksResponse& response);
  void Explain(const CallPtr& call, const v1::ExplainTaskRequest& request,
               v1::ExplainTaskResponse& response);
  void Cancel(const CallPtr& call, const v1::CancelTaskRequest& request,
              v1::CancelTaskResponse& response);
  void RetryAsNew(const CallPtr& call, const v1::RetryTaskRequest& request,
                  v1::RetryTaskResponse& response);

 private:
  // A task of an answer whose payload the store has.
  struct Missing {
    tasks::TaskId id;
    v1::Task* task;
    // What the task is a result of, if it is one of many: an error takes its place.
    v1::BatchWaitTasksResponse::Result* result = nullptr;
    // The list that the task is in, if it is in one: it leaves it.
    v1::ListTasksResponse* list = nullptr;
  };

  // One of many: what is another tenant's is not there.
  absl::StatusOr<tasks::TaskId> FindFor(const Call& call, std::string_view name) const;
  absl::StatusOr<tasks::Spawned> SpawnFor(const Call& call, std::string_view parent,
                                          v1::TaskSpec&& spec);
  // Once the task is at hand; an error of the store's finishes the call.
  void WithTask(const CallPtr& call, tasks::TaskId id, absl::AnyInvocable<void()> then);
  absl::Status FillTask(tasks::TaskId id, v1::TaskView view, v1::Task& task,
                        tasks::Audience audience = tasks::Audience::kTenant);
  // As FillTask, and finishes the call: later, where the store has the payload, or all of it.
  void FinishWithTask(const CallPtr& call, tasks::TaskId id, v1::TaskView view, v1::Task& task);
  // The store has not got it any more. False if the call has failed with that.
  static bool Lose(const Missing& missing, const absl::Status& why);
  void FinishList(const CallPtr& call, const v1::ListTasksRequest& request,
                  std::optional<tasks::EndedPosition> horizon, v1::ListTasksResponse& response);
  // Fills in what is missing, and finishes.
  void FinishWithPayloads(const CallPtr& call, v1::TaskView view, std::vector<Missing> missing);
  // Waits for `tasks`, then calls `then`; at once if there are none. A wait that was stopped
  // because control ends finishes the call with UNAVAILABLE.
  void After(TaskWaits& waits, std::vector<tasks::TaskId> tasks, absl::Duration timeout,
             const CallPtr& call, absl::AnyInvocable<void(TaskWaits::End)> then);
  // Answers with the task once it is safe.
  void FinishSpawn(const CallPtr& call, const tasks::Spawned& spawned, v1::Task& task);
  void RetryAtHand(const CallPtr& call, tasks::TaskId id, v1::RetryTaskResponse& response);
  void SpawnAgain(const CallPtr& call, const v1::Task& task, v1::RetryTaskResponse& response);
  void SpawnAll(Slices& slices, const CallPtr& call, v1::BatchSpawnTasksRequest& request,
                v1::BatchSpawnTasksResponse& response);
  // What becomes of it goes into `result`; those that are not on disk yet, into `unsafe`.
  void SpawnOneOf(const Call& call, const v1::BatchSpawnTasksRequest& request, v1::TaskSpec&& spec,
                  v1::BatchSpawnTasksResponse::Result& result, std::vector<tasks::TaskId>& unsafe);
  // After all the others.
  void Complete(const Call& call, const v1::BatchSpawnTasksRequest& request,
                v1::BatchSpawnTasksResponse& response, std::vector<tasks::TaskId>& unsafe);
  void WaitForAll(Slices& slices, const CallPtr& call, const v1::BatchWaitTasksRequest& request,
                  v1::BatchWaitTasksResponse& response);
  // Of the next names from `first` on, those whose tasks are to be recalled.
  std::vector<tasks::TaskId> EvictedOf(const Call& call, const v1::BatchWaitTasksRequest& request,
                                       int first) const;
  // The page that begins with the name at `first`.
  void AnswerPage(Slices& slices, const CallPtr& call, const v1::BatchWaitTasksRequest& request,
                  int first, v1::BatchWaitTasksResponse& response);

  Hub& hub_;
  EngineDriver& driver_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TASK_CALLS_H_
