#include "server/control/change_calls.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/control/call_audience.h"
#include "server/control/recalled_tasks.h"
#include "server/control/rpc_status.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using Kind = tasks::TaskAction::Kind;
using Asked = v1::BatchChangeTasksRequest;

bool IsEndOnItsWay(const absl::Status& status) {
  return tasks::RefusalReason(status) == "TASK_END_NOT_STORED";
}

absl::StatusOr<tasks::TaskAction> ActionOf(const Asked& request) {
  switch (request.action_case()) {
    case Asked::kCancel:
      return tasks::TaskAction{.kind = Kind::kCancel, .reason = request.reason()};
    case Asked::kForceCancel:
      return tasks::TaskAction{.kind = Kind::kForceCancel, .reason = request.reason()};
    case Asked::kRetry:
      return tasks::TaskAction{.kind = Kind::kRetry};
    case Asked::kDelete:
      return tasks::TaskAction{.kind = Kind::kDelete};
    case Asked::kPause:
      return tasks::TaskAction{.kind = Kind::kPause, .reason = request.reason()};
    case Asked::kResume:
      return tasks::TaskAction{.kind = Kind::kResume};
    case Asked::kUpdate:
      return tasks::UpdateAction(request.update().spec(), request.update().update_mask());
    case Asked::ACTION_NOT_SET:
      break;
  }
  return tasks::BadField("action", "ACTION_REQUIRED", "is not set; say what is to be done");
}

absl::Status CheckBatch(const Call& call, const Asked& request) {
  if (!request.has_filter()) {
    return tasks::BadField("filter", "FILTER_REQUIRED",
                           "is not set; an empty one matches all tasks");
  }
  if (request.limit() < 0) {
    return tasks::BadField("limit", "LIMIT_NEGATIVE", absl::StrCat("is ", request.limit()));
  }
  // As the table of methods has it for one task.
  const tenancy::Principal& caller = call.principal();
  if (!request.has_force_cancel() || caller.roles.Covers(tenancy::Role::kOperator)) {
    return absl::OkStatus();
  }
  return tasks::Refusal(absl::StatusCode::kPermissionDenied, "ROLE_INSUFFICIENT",
                        absl::StrCat("force_cancel needs the role operator; ", caller.name, " has ",
                                     caller.roles.ToString()));
}

// The tasks of `queue` that wait.
v1::TaskFilter Waiting() {
  v1::TaskFilter filter;
  filter.add_states(v1::TASK_STATE_SCHEDULED);
  filter.add_states(v1::TASK_STATE_QUEUED);
  return filter;
}

}  // namespace

absl::StatusOr<bool> ChangeCalls::ChangeOne(tasks::TaskId id, const tasks::TaskAction& action) {
  RecalledTasks recalled(driver_);
  // A cancellation leaves what has ended as it is.
  if (action.kind != Kind::kCancel) {
    if (absl::Status status = recalled.Recall({id}); !status.ok()) return status;
  }
  absl::StatusOr<bool> changed = driver_.Change(id, action);
  if (!IsEndOnItsWay(changed.status())) return changed;
  absl::Status stored = driver_.AwaitStored(kChangeStoreMax);
  if (!stored.ok()) return stored;
  return driver_.Change(id, action);
}

void ChangeCalls::Change(const CallPtr& call, std::string_view name, tasks::TaskAction action,
                         v1::Task* task) {
  const absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(name);
  if (!id.ok()) return call->Finish(id.status());
  Slices::Run(hub_, call, [this, call, id = *id, action = std::move(action), task](Slices&) {
    const uint64_t before = driver_.engine().last_ticket();
    absl::Status status = ChangeOne(id, action).status();
    if (status.ok() && driver_.engine().last_ticket() != before) {
      status = driver_.AwaitStored(kChangeStoreMax);
    }
    if (call->finished()) return;
    if (!status.ok() || task == nullptr) return call->Finish(status);
    FinishWithTask(call, id, *task);
  });
}

void ChangeCalls::FinishWithTask(const CallPtr& call, tasks::TaskId id, v1::Task& task) {
  RecalledTasks recalled(driver_);
  const absl::Status at_hand = recalled.Recall({id});
  if (call->finished()) return;
  if (!at_hand.ok()) return call->Finish(at_hand);
  absl::StatusOr<v1::Task> found =
      driver_.engine().Get(id, v1::TASK_VIEW_BASIC, driver_.Now(), AudienceOf(*call));
  if (!found.ok()) return call->Finish(found.status());
  task = *std::move(found);
  call->Finish(absl::OkStatus());
}

void ChangeCalls::ChangeFamily(const CallPtr& call, const std::string& name,
                               tasks::TaskAction action, v1::Task& task) {
  const tasks::TaskEngine& engine = driver_.engine();
  const absl::StatusOr<tasks::TaskId> id = engine.Find(name);
  if (!id.ok()) return call->Finish(id.status());
  const std::string_view tenant = tenancy::ParseTaskName(name)->tenant;
  absl::StatusOr<tasks::TaskQuery> query = engine.Query(tenancy::FormatTenantName(tenant), {});
  if (!query.ok()) return call->Finish(query.status());
  query->filter.OnlyDescendantsOf(name);
  // Those that it has spawned came later, and theirs later still.
  Batched batch{
      .query = *std::move(query), .action = std::move(action), .oldest = *id, .may_stop = false};
  Slices::Run(hub_, call, [this, call, id = *id, batch = std::move(batch), &task](Slices& slices) {
    ChangeFamilyOf(slices, call, id, batch, task);
  });
}

void ChangeCalls::ChangeFamilyOf(Slices& slices, const CallPtr& call, tasks::TaskId id,
                                 Batched batch, v1::Task& task) {
  absl::Status status = ChangeOne(id, batch.action).status();
  if (call->finished()) return;
  if (!status.ok()) return call->Finish(status);
  v1::BatchChangeTasksResponse counts;
  // What they spawn before they stop is found in another look.
  for (int64_t before = -1; before < counts.changed();) {
    before = counts.changed();
    batch.newest = driver_.engine().NewestId();
    if (!ChangeAll(slices, *call, batch, counts)) return;
  }
  status = driver_.AwaitStored(kChangeStoreMax);
  if (call->finished()) return;
  if (!status.ok()) return call->Finish(status);
  FinishWithTask(call, id, task);
}

void ChangeCalls::Update(const CallPtr& call, const v1::UpdateTaskRequest& request,
                         v1::UpdateTaskResponse& response) {
  absl::StatusOr<tasks::TaskAction> action =
      tasks::UpdateAction(request.task().spec(), request.update_mask());
  if (!action.ok()) return call->Finish(action.status());
  Change(call, request.task().name(), *std::move(action), response.mutable_task());
}

void ChangeCalls::Batch(const CallPtr& call, const v1::BatchChangeTasksRequest& request,
                        v1::BatchChangeTasksResponse& response) {
  if (absl::Status asked = CheckBatch(*call, request); !asked.ok()) return call->Finish(asked);
  absl::StatusOr<tasks::TaskAction> action = ActionOf(request);
  if (!action.ok()) return call->Finish(action.status());
  const tasks::TaskEngine& engine = driver_.engine();
  if (absl::Status fits = engine.CheckAction(*action); !fits.ok()) return call->Finish(fits);
  absl::StatusOr<tasks::TaskQuery> query = engine.Query(request.parent(), request.filter());
  if (!query.ok()) return call->Finish(query.status());
  // Of the other actions none changes what has ended.
  const bool changes_ended = action->kind == Kind::kRetry || action->kind == Kind::kDelete;
  RunBatch(call,
           {.query = *std::move(query),
            .action = *std::move(action),
            .validate_only = request.validate_only(),
            .limit = request.limit() == 0 ? INT64_MAX : request.limit(),
            .newest = engine.NewestId(),
            .looks_at_ended = changes_ended},
           response, [] {});
}

void ChangeCalls::RunBatch(const CallPtr& call, Batched batch,
                           v1::BatchChangeTasksResponse& response,
                           absl::AnyInvocable<void()> done) {
  Slices::Run(hub_, call,
              [this, call, batch = std::move(batch), &response,
               done = std::move(done)](Slices& slices) mutable {
                if (!ChangeAll(slices, *call, batch, response)) return;
                absl::Status stored;
                if (response.changed() > 0) stored = driver_.AwaitStored(kChangeStoreMax);
                if (call->finished()) return;
                done();
                call->Finish(stored);
              });
}

bool ChangeCalls::ChangeAll(Slices& slices, Call& call, const Batched& batch,
                            v1::BatchChangeTasksResponse& response) {
  tasks::TaskCursor cursor{.last = batch.oldest};
  std::vector<tasks::TaskId> found;
  RecalledTasks recalled(driver_);
  for (bool more = true; more;) {
    absl::Status at_hand;
    if (batch.looks_at_ended) {
      at_hand = recalled.RecallFor(batch.query, cursor);
    } else {
      tasks::PassRecalled(std::nullopt, cursor);
    }
    if (call.finished()) return false;
    if (!at_hand.ok()) {
      call.Finish(at_hand);
      return false;
    }
    found.clear();
    more = driver_.engine().FindSome(batch.query, cursor, found);
    for (const tasks::TaskId& id : found) {
      // It has ended, and nothing changes that.
      if (!batch.looks_at_ended && driver_.engine().IsEvicted(id)) continue;
      if (id <= batch.newest && !TakeNext(call, batch, id, response)) return !call.finished();
      if (!slices.Pause()) return false;
    }
    if (!slices.Pause()) return false;
    if (!batch.validate_only) driver_.AwaitDisk().IgnoreError();
    if (call.finished()) return false;
  }
  return true;
}

bool ChangeCalls::TakeNext(const Call& call, const Batched& batch, tasks::TaskId id,
                           v1::BatchChangeTasksResponse& response) {
  if (batch.may_stop && absl::Now() + kBatchMargin >= call.deadline()) {
    response.set_more(true);
    return false;
  }
  // A task that goes has no name afterwards.
  const std::string name = driver_.engine().NameOf(id);
  absl::StatusOr<bool> changes = driver_.engine().WouldChange(id, batch.action);
  if (changes.ok() && !*changes) return true;
  if (absl::IsFailedPrecondition(changes.status()) || absl::IsNotFound(changes.status())) {
    return true;
  }
  if (response.matched() == batch.limit) {
    response.set_more(true);
    return false;
  }
  if (!batch.validate_only) changes = ChangeOne(id, batch.action);
  if (call.finished()) return false;
  if (IsEndOnItsWay(changes.status())) changes = true;
  response.set_matched(response.matched() + 1);
  if (!changes.ok()) {
    if (response.failures_size() == kBatchNamedMax) return true;
    v1::BatchChangeTasksResponse::Failure& failure = *response.add_failures();
    failure.set_name(name);
    *failure.mutable_error() = ToRpcStatus(changes.status());
    return true;
  }
  if (!batch.validate_only) response.set_changed(response.changed() + *changes);
  if (response.sample_size() < kBatchNamedMax) response.add_sample(name);
  return true;
}

void ChangeCalls::FinishWithQueue(const CallPtr& call, const absl::Status& said,
                                  std::string_view name, v1::Queue& queue) {
  if (!said.ok()) return call->Finish(said);
  Slices::Run(hub_, call, [this, call, name = std::string(name), &queue](Slices&) {
    const absl::Status stored = driver_.AwaitStored(kChangeStoreMax);
    if (call->finished()) return;
    if (!stored.ok()) return call->Finish(stored);
    absl::StatusOr<v1::Queue> shown =
        driver_.engine().GetQueue(name, driver_.Now(), AudienceOf(*call));
    if (!shown.ok()) return call->Finish(shown.status());
    queue = *std::move(shown);
    call->Finish(absl::OkStatus());
  });
}

void ChangeCalls::PauseQueue(const CallPtr& call, std::string_view name, std::string_view reason,
                             v1::Queue& queue) {
  FinishWithQueue(call, driver_.PauseQueue(name, reason), name, queue);
}

void ChangeCalls::ResumeQueue(const CallPtr& call, std::string_view name, v1::Queue& queue) {
  FinishWithQueue(call, driver_.ResumeQueue(name), name, queue);
}

void ChangeCalls::PurgeQueue(const CallPtr& call, const v1::PurgeQueueRequest& request,
                             v1::PurgeQueueResponse& response) {
  const tasks::TaskEngine& engine = driver_.engine();
  // A tenant's name would be a query's parent too.
  const absl::StatusOr<v1::Queue> queue = engine.GetQueue(request.name(), driver_.Now());
  if (!queue.ok()) return call->Finish(queue.status());
  absl::StatusOr<tasks::TaskQuery> query = engine.Query(request.name(), Waiting());
  if (!query.ok()) return call->Finish(query.status());
  tasks::TaskAction action{.kind = Kind::kCancel, .reason = request.reason()};
  if (absl::Status fits = engine.CheckAction(action); !fits.ok()) return call->Finish(fits);
  action.reason =
      absl::StrCat("its queue was purged", action.reason.empty() ? "" : ": ", action.reason)
          .substr(0, tasks::kReasonMax);
  auto batched = std::make_unique<v1::BatchChangeTasksResponse>();
  v1::BatchChangeTasksResponse& counts = *batched;
  RunBatch(call,
           {.query = *std::move(query),
            .action = std::move(action),
            .validate_only = request.validate_only(),
            .newest = engine.NewestId()},
           counts, [&response, batched = std::move(batched)] {
             response.set_matched(batched->matched());
             response.set_purged(batched->changed());
           });
}

}  // namespace grove::control
