#include "server/control/task_calls.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/control/rpc_status.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

absl::Status CheckBatch(std::string_view field, int size) {
  if (size <= kBatchMax) return absl::OkStatus();
  return tasks::BadField(field, "BATCH_TOO_LARGE",
                         absl::StrCat("has ", size, " entries; at most ", kBatchMax));
}

absl::Status NotOnDisk() {
  return tasks::WithRetryAfter(
      tasks::Refusal(absl::StatusCode::kUnavailable, "STORE_SLOW",
                     absl::StrCat("not on disk after ", absl::FormatDuration(kStoreWaitMax),
                                  "; the task may still run: repeat with the same request_id")),
      1000);
}

}  // namespace

absl::StatusOr<absl::Duration> WaitTimeout(const google::protobuf::Duration& asked,
                                           absl::Duration until_deadline) {
  const absl::Duration timeout = absl::Seconds(asked.seconds()) + absl::Nanoseconds(asked.nanos());
  if (timeout < absl::ZeroDuration()) {
    return tasks::BadField("timeout", "TIMEOUT_NEGATIVE", "must not be negative");
  }
  if (timeout > absl::ZeroDuration()) return std::min(timeout, kWaitMax);
  const absl::Duration margin = std::min(kAnswerMargin, until_deadline / 2);
  return std::clamp(until_deadline - margin, absl::ZeroDuration(), kWaitMax);
}

absl::Status TaskCalls::FillTask(tasks::TaskId id, v1::Task& task) {
  absl::StatusOr<v1::Task> found = driver_.engine().Get(id, WallNow());
  if (!found.ok()) return found.status();
  task = *std::move(found);
  return absl::OkStatus();
}

void TaskCalls::FinishAfter(TaskWaits& waits, std::vector<tasks::TaskId> tasks,
                            absl::Duration timeout, const CallPtr& call,
                            absl::AnyInvocable<absl::Status(TaskWaits::End)> fill) {
  if (tasks.empty()) return call->Finish(fill(TaskWaits::End::kAllNotified));
  auto finish = [call, fill = std::move(fill)](TaskWaits::End end) mutable {
    call->Finish(end == TaskWaits::End::kStopped ? EngineDriver::DrainingStatus() : fill(end));
  };
  absl::StatusOr<TaskWaits::WaitId> wait =
      waits.Add(std::move(tasks), DeadlineAfter(hub_.ReadClock(), timeout), std::move(finish));
  if (!wait.ok()) return call->Finish(wait.status());
  call->set_on_cancel([&waits, id = *wait] { waits.Remove(id); });
}

void TaskCalls::Spawn(const CallPtr& call, const v1::SpawnTaskRequest& request,
                      v1::SpawnTaskResponse& response) {
  absl::StatusOr<tasks::Spawned> spawned = driver_.Spawn(request.parent(), request.spec());
  if (!spawned.ok()) return call->Finish(spawned.status());
  std::vector<tasks::TaskId> unsafe;
  if (!spawned->acknowledged) unsafe.push_back(spawned->id);
  FinishAfter(driver_.acknowledgements(), std::move(unsafe), kStoreWaitMax, call,
              [this, id = spawned->id, &response](TaskWaits::End end) {
                if (end == TaskWaits::End::kTimedOut) return NotOnDisk();
                return FillTask(id, *response.mutable_task());
              });
}

void TaskCalls::BatchSpawn(const CallPtr& call, const v1::BatchSpawnTasksRequest& request,
                           v1::BatchSpawnTasksResponse& response) {
  if (absl::Status size = CheckBatch("specs", request.specs_size()); !size.ok()) {
    return call->Finish(size);
  }
  // Refused as a whole: the client is to send all of it to the next control.
  if (driver_.draining()) return call->Finish(EngineDriver::DrainingStatus());
  std::vector<tasks::TaskId> unsafe;
  response.mutable_results()->Reserve(request.specs_size());
  for (const v1::TaskSpec& spec : request.specs()) {
    v1::BatchSpawnTasksResponse::Result& result = *response.add_results();
    absl::StatusOr<tasks::Spawned> spawned = driver_.Spawn(request.parent(), spec);
    if (!spawned.ok()) {
      *result.mutable_error() = ToRpcStatus(spawned.status());
      continue;
    }
    result.set_name(std::move(spawned->name));
    if (!spawned->acknowledged) unsafe.push_back(spawned->id);
  }
  FinishAfter(driver_.acknowledgements(), std::move(unsafe), kStoreWaitMax, call,
              [](TaskWaits::End end) {
                return end == TaskWaits::End::kTimedOut ? NotOnDisk() : absl::OkStatus();
              });
}

absl::Status TaskCalls::Get(const v1::GetTaskRequest& request, v1::GetTaskResponse& response) {
  absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return id.status();
  return FillTask(*id, *response.mutable_task());
}

void TaskCalls::Wait(const CallPtr& call, const v1::WaitTaskRequest& request,
                     v1::WaitTaskResponse& response) {
  absl::StatusOr<absl::Duration> timeout =
      WaitTimeout(request.timeout(), call->deadline() - absl::Now());
  if (!timeout.ok()) return call->Finish(timeout.status());
  absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return call->Finish(id.status());
  std::vector<tasks::TaskId> running;
  if (!driver_.engine().IsSettled(*id)) running.push_back(*id);
  FinishAfter(driver_.ends(), std::move(running), *timeout, call,
              [this, id = *id, &response](TaskWaits::End) {
                return FillTask(id, *response.mutable_task());
              });
}

void TaskCalls::BatchWait(const CallPtr& call, const v1::BatchWaitTasksRequest& request,
                          v1::BatchWaitTasksResponse& response) {
  absl::StatusOr<absl::Duration> timeout =
      WaitTimeout(request.timeout(), call->deadline() - absl::Now());
  if (!timeout.ok()) return call->Finish(timeout.status());
  if (absl::Status size = CheckBatch("names", request.names_size()); !size.ok()) {
    return call->Finish(size);
  }
  std::vector<absl::StatusOr<tasks::TaskId>> ids;
  std::vector<tasks::TaskId> running;
  ids.reserve(static_cast<size_t>(request.names_size()));
  for (const std::string& name : request.names()) {
    ids.push_back(driver_.engine().Find(name));
    if (ids.back().ok() && !driver_.engine().IsSettled(*ids.back())) {
      running.push_back(*ids.back());
    }
  }
  FinishAfter(driver_.ends(), std::move(running), *timeout, call,
              [this, ids = std::move(ids), &response](TaskWaits::End) {
                response.mutable_results()->Reserve(static_cast<int>(ids.size()));
                for (const absl::StatusOr<tasks::TaskId>& id : ids) {
                  auto& result = *response.add_results();
                  absl::Status filled =
                      id.ok() ? FillTask(*id, *result.mutable_task()) : id.status();
                  if (!filled.ok()) *result.mutable_error() = ToRpcStatus(filled);
                }
                return absl::OkStatus();
              });
}

absl::Status TaskCalls::List(const v1::ListTasksRequest& request, v1::ListTasksResponse& response) {
  absl::StatusOr<v1::ListTasksResponse> listed = driver_.engine().ListTasks(request, WallNow());
  if (!listed.ok()) return listed.status();
  response = *std::move(listed);
  return absl::OkStatus();
}

absl::Status TaskCalls::Cancel(const v1::CancelTaskRequest& request,
                               v1::CancelTaskResponse& response) {
  absl::Status cancelled = driver_.Cancel(request.name(), request.reason());
  if (!cancelled.ok()) return cancelled;
  absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return id.status();
  return FillTask(*id, *response.mutable_task());
}

}  // namespace grove::control
