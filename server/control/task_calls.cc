#include "server/control/task_calls.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/control/audience.h"
#include "server/control/call_audience.h"
#include "server/control/recalled_tasks.h"
#include "server/control/rpc_status.h"
#include "server/control/scope_check.h"
#include "server/tasks/list_token.h"
#include "server/tasks/payloads.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

// Of a page of waits: their outputs are read with them.
constexpr int kRecalledTogether = 20;

absl::Status CheckBatch(std::string_view field, int size) {
  if (size <= kBatchMax) return absl::OkStatus();
  return tasks::BadField(field, "BATCH_TOO_LARGE",
                         absl::StrCat("has ", size, " entries; at most ", kBatchMax));
}

absl::Status CheckBatchId(const std::string& id) {
  const bool fits = id.size() <= kBatchRequestIdMax &&
                    std::all_of(id.begin(), id.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (fits) return absl::OkStatus();
  return tasks::BadField(
      "request_id", "BATCH_REQUEST_ID_INVALID",
      absl::StrCat("must be at most ", kBatchRequestIdMax, " printable ASCII characters"));
}

// What has an id of its own keeps it.
void NameRequest(const v1::BatchSpawnTasksRequest& request, const std::string& which,
                 v1::TaskSpec& spec) {
  if (!spec.request_id().empty()) return;
  spec.set_request_id(absl::StrCat(request.request_id(), "/", which));
}

absl::Status NotOnDisk(const std::string& then) {
  return tasks::WithRetryAfter(
      tasks::Refusal(
          absl::StatusCode::kUnavailable, "STORE_SLOW",
          absl::StrCat("not on disk after ", absl::FormatDuration(kStoreWaitMax), "; ", then)),
      1000);
}

// The engine had it a moment ago.
absl::Status EndedRetention(tasks::TaskId id) {
  return tasks::Refusal(
      absl::StatusCode::kNotFound, "TASK_NOT_FOUND",
      absl::StrCat("no task ", id.ToString(), " any more: its retention has just ended"));
}

absl::Status Unreadable() {
  return tasks::Refusal(absl::StatusCode::kDataLoss, "RECORD_UNREADABLE",
                        "the task's record in the store does not parse");
}

// All that selects the results of a batch of waits, and whose they are.
std::string ListOf(const Call& call, const v1::BatchWaitTasksRequest& request) {
  const v1::TaskView view = tasks::OrDefault(request.view(), v1::TASK_VIEW_BASIC);
  const std::string& tenant = call.principal().tenant;
  return absl::StrCat("wait ", tenant, tenant.empty() ? "" : " ", static_cast<int>(view), " ",
                      absl::StrJoin(request.names(), " "));
}

// The index of the first name that the page is about.
absl::StatusOr<int> FirstOfPage(const Call& call, const v1::BatchWaitTasksRequest& request) {
  if (request.page_token().empty()) return 0;
  const auto last = tasks::DecodeListToken(ListOf(call, request), request.page_token());
  int first = 0;
  if (last && absl::SimpleAtoi(*last, &first) && first < request.names_size()) return first;
  return tasks::BadField("page_token", "PAGE_TOKEN_INVALID",
                         "is not one that the same names and view returned; leave it empty for "
                         "the first page");
}

}  // namespace

absl::Status SpawnNotOnDisk() {
  return NotOnDisk("the task may still run: repeat with the same request_id");
}

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

absl::StatusOr<tasks::TaskId> TaskCalls::FindFor(const Call& call, std::string_view name) const {
  const absl::Status seen =
      CheckName(RuleOf("TaskService/BatchWaitTasks", "names"), call.principal(), name);
  if (!seen.ok()) return seen;
  return driver_.engine().Find(name);
}

absl::StatusOr<tasks::Spawned> TaskCalls::SpawnFor(const Call& call, std::string_view parent,
                                                   v1::TaskSpec&& spec) {
  const absl::Status seen = CheckName(RuleOf("TaskService/BatchSpawnTasks", "specs.queue"),
                                      call.principal(), spec.queue());
  if (!seen.ok()) return seen;
  return driver_.Spawn(parent, std::move(spec));
}

absl::Status TaskCalls::FillTask(tasks::TaskId id, v1::TaskView view, v1::Task& task,
                                 tasks::Audience audience) {
  return driver_.engine().Show(id, view, driver_.Now(), audience, task);
}

void TaskCalls::WithTask(const CallPtr& call, tasks::TaskId id, absl::AnyInvocable<void()> then) {
  driver_.Recall({id}, [call, then = std::move(then)](const auto& recalled) mutable {
    if (call->finished()) return;
    recalled.ok() ? then() : call->Finish(recalled.status());
  });
}

void TaskCalls::FinishWithTask(const CallPtr& call, tasks::TaskId id, v1::TaskView view,
                               v1::Task& task) {
  WithTask(call, id, [this, call, id, view, &task] {
    absl::Status filled = FillTask(id, view, task, AudienceOf(*call));
    if (!filled.ok()) return call->Finish(filled);
    std::vector<Missing> missing;
    if (driver_.engine().NeedsStore(id, view)) missing.push_back({id, &task});
    FinishWithPayloads(call, view, std::move(missing));
  });
}

bool TaskCalls::Lose(const Missing& missing, const absl::Status& why) {
  if (missing.result != nullptr) {
    *missing.result->mutable_error() = ToRpcStatus(why);
    return true;
  }
  if (missing.list == nullptr) return false;
  auto& tasks = *missing.list->mutable_tasks();
  for (int i = 0; i < tasks.size(); ++i) {
    if (&tasks[i] != missing.task) continue;
    tasks.DeleteSubrange(i, 1);
    break;
  }
  return true;
}

void TaskCalls::FinishWithPayloads(const CallPtr& call, v1::TaskView view,
                                   std::vector<Missing> missing) {
  if (missing.empty()) return call->Finish(absl::OkStatus());
  std::vector<tasks::TaskId> ids;
  ids.reserve(missing.size());
  for (const Missing& each : missing) ids.push_back(each.id);
  driver_.Read(std::move(ids), [call, view, missing = std::move(missing)](const auto& found) {
    if (call->finished()) return;
    if (!found.ok()) return call->Finish(found.status());
    absl::flat_hash_map<tasks::TaskId, const tasks::StoredTask*> records;
    for (const tasks::StoredTask& record : *found) records[record.id] = &record;
    for (const Missing& each : missing) {
      const auto record = records.find(each.id);
      const bool filled =
          record != records.end() && tasks::FillPayload(*record->second, view, *each.task);
      if (filled) continue;
      const absl::Status gone = record == records.end() ? EndedRetention(each.id) : Unreadable();
      if (!Lose(each, gone)) return call->Finish(gone);
    }
    call->Finish(absl::OkStatus());
  });
}

void TaskCalls::After(TaskWaits& waits, std::vector<tasks::TaskId> tasks, absl::Duration timeout,
                      const CallPtr& call, absl::AnyInvocable<void(TaskWaits::End)> then) {
  if (tasks.empty()) return then(TaskWaits::End::kAllNotified);
  auto done = [call, then = std::move(then)](TaskWaits::End end) mutable {
    if (end == TaskWaits::End::kStopped) return call->Finish(EngineDriver::DrainingStatus());
    then(end);
  };
  absl::StatusOr<TaskWaits::WaitId> wait =
      waits.Add(std::move(tasks), DeadlineAfter(hub_.ReadClock(), timeout), std::move(done));
  if (!wait.ok()) return call->Finish(wait.status());
  call->set_on_cancel([&waits, id = *wait] { waits.Remove(id); });
}

void TaskCalls::Spawn(const CallPtr& call, v1::SpawnTaskRequest& request,
                      v1::SpawnTaskResponse& response) {
  absl::StatusOr<tasks::Spawned> spawned =
      driver_.Spawn(request.parent(), std::move(*request.mutable_spec()));
  if (!spawned.ok()) return call->Finish(spawned.status());
  response.set_attached(spawned->attached);
  FinishSpawn(call, *spawned, *response.mutable_task());
}

void TaskCalls::FinishSpawn(const CallPtr& call, const tasks::Spawned& spawned, v1::Task& task) {
  std::vector<tasks::TaskId> unsafe;
  if (!spawned.acknowledged) unsafe.push_back(spawned.id);
  After(driver_.acknowledgements(), std::move(unsafe), kStoreWaitMax, call,
        [this, call, id = spawned.id, &task](TaskWaits::End end) {
          if (end == TaskWaits::End::kTimedOut) return call->Finish(SpawnNotOnDisk());
          FinishWithTask(call, id, v1::TASK_VIEW_BASIC, task);
        });
}

void TaskCalls::BatchSpawn(const CallPtr& call, v1::BatchSpawnTasksRequest& request,
                           v1::BatchSpawnTasksResponse& response) {
  if (absl::Status size = CheckBatch("specs", request.specs_size()); !size.ok()) {
    return call->Finish(size);
  }
  if (absl::Status id = CheckBatchId(request.request_id()); !id.ok()) return call->Finish(id);
  // Refused as a whole: the client is to send all of it to the next control.
  if (driver_.draining()) return call->Finish(EngineDriver::DrainingStatus());
  Slices::Run(hub_, call, [this, call, &request, &response](Slices& slices) {
    SpawnAll(slices, call, request, response);
  });
}

void TaskCalls::SpawnAll(Slices& slices, const CallPtr& call, v1::BatchSpawnTasksRequest& request,
                         v1::BatchSpawnTasksResponse& response) {
  std::vector<tasks::TaskId> unsafe;
  response.mutable_results()->Reserve(request.specs_size());
  for (int i = 0; i < request.specs_size(); ++i) {
    v1::TaskSpec& spec = *request.mutable_specs(i);
    if (!request.request_id().empty()) NameRequest(request, absl::StrCat(i), spec);
    SpawnOneOf(*call, request, std::move(spec), *response.add_results(), unsafe);
    if (!slices.Pause()) return;
  }
  if (request.has_completion()) Complete(*call, request, response, unsafe);
  After(driver_.acknowledgements(), std::move(unsafe), kStoreWaitMax, call,
        [call](TaskWaits::End end) {
          call->Finish(end == TaskWaits::End::kTimedOut ? SpawnNotOnDisk() : absl::OkStatus());
        });
}

void TaskCalls::SpawnOneOf(const Call& call, const v1::BatchSpawnTasksRequest& request,
                           v1::TaskSpec&& spec, v1::BatchSpawnTasksResponse::Result& result,
                           std::vector<tasks::TaskId>& unsafe) {
  absl::StatusOr<tasks::Spawned> spawned = SpawnFor(call, request.parent(), std::move(spec));
  if (!spawned.ok()) {
    *result.mutable_error() = ToRpcStatus(ForAudience(call.principal(), spawned.status()));
    return;
  }
  result.set_name(std::move(spawned->name));
  result.set_attached(spawned->attached);
  if (!spawned->acknowledged) unsafe.push_back(spawned->id);
}

void TaskCalls::Complete(const Call& call, const v1::BatchSpawnTasksRequest& request,
                         v1::BatchSpawnTasksResponse& response,
                         std::vector<tasks::TaskId>& unsafe) {
  v1::BatchSpawnTasksResponse::Result& result = *response.mutable_completion();
  v1::TaskSpec spec = request.completion();
  int refused = 0;
  for (const v1::BatchSpawnTasksResponse::Result& each : response.results()) {
    refused += each.has_error();
    // One that has ended and was forgotten while the others were spawned is waited for no more.
    if (driver_.engine().Find(each.name()).ok()) spec.add_after(each.name());
  }
  if (refused > 0) {
    *result.mutable_error() = ToRpcStatus(
        tasks::Refusal(absl::StatusCode::kFailedPrecondition, "BATCH_INCOMPLETE",
                       absl::StrCat(refused, " of the ", request.specs_size(),
                                    " tasks of the batch were refused, and so is its completion")));
    return;
  }
  if (!request.request_id().empty()) NameRequest(request, "completion", spec);
  SpawnOneOf(call, request, std::move(spec), result, unsafe);
}

void TaskCalls::Get(const CallPtr& call, const v1::GetTaskRequest& request,
                    v1::GetTaskResponse& response) {
  absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return call->Finish(id.status());
  FinishWithTask(call, *id, tasks::OrDefault(request.view(), v1::TASK_VIEW_FULL),
                 *response.mutable_task());
}

void TaskCalls::Wait(const CallPtr& call, const v1::WaitTaskRequest& request,
                     v1::WaitTaskResponse& response) {
  absl::StatusOr<absl::Duration> timeout =
      WaitTimeout(request.timeout(), call->deadline() - absl::Now());
  if (!timeout.ok()) return call->Finish(timeout.status());
  absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return call->Finish(id.status());
  std::vector<tasks::TaskId> running;
  if (driver_.engine().IsUnderWay(*id)) running.push_back(*id);
  const v1::TaskView view = tasks::OrDefault(request.view(), v1::TASK_VIEW_BASIC);
  After(driver_.ends(), std::move(running), *timeout, call,
        [this, call, id = *id, view, &response](TaskWaits::End) {
          FinishWithTask(call, id, view, *response.mutable_task());
        });
}

void TaskCalls::BatchWait(const CallPtr& call, const v1::BatchWaitTasksRequest& request,
                          v1::BatchWaitTasksResponse& response) {
  if (absl::Status size = CheckBatch("names", request.names_size()); !size.ok()) {
    return call->Finish(size);
  }
  Slices::Run(hub_, call, [this, call, &request, &response](Slices& slices) {
    WaitForAll(slices, call, request, response);
  });
}

void TaskCalls::WaitForAll(Slices& slices, const CallPtr& call,
                           const v1::BatchWaitTasksRequest& request,
                           v1::BatchWaitTasksResponse& response) {
  absl::StatusOr<absl::Duration> timeout =
      WaitTimeout(request.timeout(), call->deadline() - absl::Now());
  if (!timeout.ok()) return call->Finish(timeout.status());
  absl::StatusOr<int> first = FirstOfPage(*call, request);
  if (!first.ok()) return call->Finish(first.status());
  absl::flat_hash_set<tasks::TaskId> running;
  for (int i = *first; i < request.names_size(); ++i) {
    absl::StatusOr<tasks::TaskId> id = FindFor(*call, request.names(i));
    if (id.ok() && driver_.engine().IsUnderWay(*id)) running.insert(*id);
    if (!slices.Pause()) return;
  }
  // One that has ended while the others were looked at is told of no more.
  absl::erase_if(running, [this](tasks::TaskId id) { return !driver_.engine().IsUnderWay(id); });
  After(driver_.ends(), {running.begin(), running.end()}, *timeout, call,
        [this, call, first = *first, &request, &response](TaskWaits::End) {
          Slices::Run(hub_, call, [this, call, first, &request, &response](Slices& later) {
            AnswerPage(later, call, request, first, response);
          });
        });
}

std::vector<tasks::TaskId> TaskCalls::EvictedOf(const Call& call,
                                                const v1::BatchWaitTasksRequest& request,
                                                int first) const {
  std::vector<tasks::TaskId> evicted;
  const int end = std::min(request.names_size(), first + kRecalledTogether);
  for (int i = first; i < end; ++i) {
    const absl::StatusOr<tasks::TaskId> id = FindFor(call, request.names(i));
    if (id.ok() && driver_.engine().IsEvicted(*id)) evicted.push_back(*id);
  }
  return evicted;
}

void TaskCalls::AnswerPage(Slices& slices, const CallPtr& call,
                           const v1::BatchWaitTasksRequest& request, int first,
                           v1::BatchWaitTasksResponse& response) {
  const v1::TaskView view = tasks::OrDefault(request.view(), v1::TASK_VIEW_BASIC);
  RecalledTasks recalled(driver_);
  std::vector<Missing> missing;
  int64_t bytes = 0;
  for (int i = first; i < request.names_size(); ++i) {
    v1::BatchWaitTasksResponse::Result& result = *response.add_results();
    absl::StatusOr<tasks::TaskId> id = FindFor(*call, request.names(i));
    if (id.ok() && driver_.engine().IsEvicted(*id)) {
      absl::Status status = recalled.Recall(EvictedOf(*call, request, i));
      if (call->finished()) return;
      if (!status.ok()) return call->Finish(status);
    }
    absl::Status filled =
        id.ok() ? FillTask(*id, view, *result.mutable_task(), AudienceOf(*call)) : id.status();
    if (filled.ok()) {
      bytes += tasks::AnswerBytes(result.task(), view);
    } else {
      *result.mutable_error() = ToRpcStatus(ForAudience(call->principal(), filled));
      bytes += static_cast<int64_t>(result.error().ByteSizeLong());
    }
    if (i > first && bytes > tasks::kAnswerBytesMax) {
      response.mutable_results()->RemoveLast();
      response.set_next_page_token(tasks::EncodeListToken(ListOf(*call, request), absl::StrCat(i)));
      break;
    }
    if (filled.ok() && driver_.engine().NeedsStore(*id, view)) {
      missing.push_back({*id, result.mutable_task(), &result});
    }
    if (!slices.Pause()) return;
  }
  FinishWithPayloads(call, view, std::move(missing));
}

void TaskCalls::Explain(const CallPtr& call, const v1::ExplainTaskRequest& request,
                        v1::ExplainTaskResponse& response) {
  absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return call->Finish(id.status());
  WithTask(call, *id, [this, call, id = *id, &response] {
    absl::StatusOr<v1::ExplainTaskResponse> explained =
        driver_.engine().Explain(id, driver_.Now(), AudienceOf(*call));
    if (!explained.ok()) return call->Finish(explained.status());
    response = *std::move(explained);
    call->Finish(absl::OkStatus());
  });
}

void TaskCalls::RetryAsNew(const CallPtr& call, const v1::RetryTaskRequest& request,
                           v1::RetryTaskResponse& response) {
  const absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return call->Finish(id.status());
  WithTask(call, *id, [this, call, id = *id, &response] { RetryAtHand(call, id, response); });
}

void TaskCalls::RetryAtHand(const CallPtr& call, tasks::TaskId id,
                            v1::RetryTaskResponse& response) {
  v1::Task task;
  if (absl::Status filled = FillTask(id, v1::TASK_VIEW_FULL, task); !filled.ok()) {
    return call->Finish(filled);
  }
  if (!driver_.engine().NeedsStore(id, v1::TASK_VIEW_FULL)) {
    return SpawnAgain(call, task, response);
  }
  driver_.Read({id},
               [this, call, id, task = std::move(task), &response](const auto& found) mutable {
                 if (call->finished()) return;
                 if (!found.ok()) return call->Finish(found.status());
                 if (found->empty()) return call->Finish(EndedRetention(id));
                 if (!tasks::FillPayload(found->front(), v1::TASK_VIEW_FULL, task)) {
                   return call->Finish(Unreadable());
                 }
                 SpawnAgain(call, task, response);
               });
}

void TaskCalls::SpawnAgain(const CallPtr& call, const v1::Task& task,
                           v1::RetryTaskResponse& response) {
  v1::TaskSpec spec = task.spec();
  spec.clear_unique_key();
  spec.clear_request_id();
  spec.clear_delay();
  spec.clear_start_time();
  // What has ended and is forgotten it need not come after.
  spec.clear_after();
  for (const std::string& name : task.spec().after()) {
    if (driver_.engine().Find(name).ok()) spec.add_after(name);
  }
  const std::string_view tenant = tenancy::ParseTaskName(task.name())->tenant;
  absl::StatusOr<tasks::Spawned> spawned =
      driver_.Spawn(tenancy::FormatTenantName(tenant), std::move(spec), {.retry_of = task.name()});
  if (!spawned.ok()) return call->Finish(spawned.status());
  FinishSpawn(call, *spawned, *response.mutable_task());
}

void TaskCalls::Cancel(const CallPtr& call, const v1::CancelTaskRequest& request,
                       v1::CancelTaskResponse& response) {
  absl::Status cancelled = driver_.Cancel(request.name(), request.reason());
  if (!cancelled.ok()) return call->Finish(cancelled);
  absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(request.name());
  if (!id.ok()) return call->Finish(id.status());
  std::vector<tasks::TaskId> unsafe;
  if (driver_.engine().IsUnderWay(*id)) unsafe.push_back(*id);
  After(driver_.ends(), std::move(unsafe), kStoreWaitMax, call,
        [this, call, id = *id, &response](TaskWaits::End end) {
          if (end == TaskWaits::End::kTimedOut) {
            return call->Finish(NotOnDisk("it goes on if control dies now: cancel it again"));
          }
          FinishWithTask(call, id, v1::TASK_VIEW_BASIC, *response.mutable_task());
        });
}

}  // namespace grove::control
