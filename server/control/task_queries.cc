// Lists and counts: what of them only the store has is recalled first.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/control/call_audience.h"
#include "server/control/recalled_tasks.h"
#include "server/control/task_calls.h"
#include "server/tasks/payloads.h"

namespace grove::control {
namespace {

constexpr std::string_view kStatePrefix = "TASK_STATE_";

}  // namespace

void TaskCalls::List(const CallPtr& call, const v1::ListTasksRequest& request,
                     v1::ListTasksResponse& response) {
  absl::StatusOr<tasks::ListRecall> recall = driver_.engine().RecallForList(request);
  if (!recall.ok()) return call->Finish(recall.status());
  auto then = [this, call, &request, &response,
               horizon = recall->horizon](const EngineDriver::Recalled& recalled) {
    if (call->finished()) return;
    if (!recalled.ok()) return call->Finish(recalled.status());
    FinishList(call, request, *recalled ? *recalled : horizon, response);
  };
  recall->query ? driver_.RecallEnded(*std::move(recall->query), std::move(then))
                : driver_.Recall(std::move(recall->tasks), std::move(then));
}

void TaskCalls::FinishList(const CallPtr& call, const v1::ListTasksRequest& request,
                           std::optional<tasks::EndedPosition> horizon,
                           v1::ListTasksResponse& response) {
  absl::StatusOr<v1::ListTasksResponse> listed =
      driver_.engine().ListTasks(request, driver_.Now(), AudienceOf(*call), horizon);
  if (!listed.ok()) return call->Finish(listed.status());
  response = *std::move(listed);
  const v1::TaskView view = tasks::OrDefault(request.view(), v1::TASK_VIEW_BASIC);
  std::vector<Missing> missing;
  for (v1::Task& task : *response.mutable_tasks()) {
    absl::StatusOr<tasks::TaskId> id = driver_.engine().Find(task.name());
    if (id.ok() && driver_.engine().NeedsStore(*id, view)) {
      missing.push_back({.id = *id, .task = &task, .list = &response});
    }
  }
  FinishWithPayloads(call, view, std::move(missing));
}

void TaskCalls::Count(const CallPtr& call, const v1::CountTasksRequest& request,
                      v1::CountTasksResponse& response) {
  absl::StatusOr<tasks::TaskQuery> query =
      driver_.engine().Query(request.parent(), request.filter());
  if (!query.ok()) return call->Finish(query.status());
  Slices::Run(hub_, call, [this, call, query = *std::move(query), &response](Slices& slices) {
    tasks::TaskCounts counts{};
    tasks::TaskCursor cursor;
    RecalledTasks recalled(driver_);
    for (bool more = true; more;) {
      absl::Status status;
      if (!query.filter.IsCounted()) status = recalled.RecallFor(query, cursor);
      if (call->finished()) return;
      if (!status.ok()) return call->Finish(status);
      more = driver_.engine().CountSome(query, cursor, counts);
      if (!slices.Pause()) return;
    }
    for (size_t state = 0; state < counts.size(); ++state) {
      if (counts[state] == 0) continue;
      response.set_total(response.total() + counts[state]);
      const std::string name = v1::TaskState_Name(static_cast<v1::TaskState>(state));
      (*response.mutable_by_state())[name.substr(kStatePrefix.size())] = counts[state];
    }
    call->Finish(absl::OkStatus());
  });
}

}  // namespace grove::control
