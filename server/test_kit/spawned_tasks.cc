#include "server/test_kit/spawned_tasks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/timeout.h"

namespace grove::test_kit {

absl::StatusOr<std::string> SpawnedTasks::Spawn(SpawnRequest request) {
  std::string name =
      absl::StrCat("tenants/default/queues/", request.queue.empty() ? "default" : request.queue,
                   "/tasks/", tasks_.size() + 1);
  if (!request.request_id.empty()) {
    const auto [place, is_new] = by_request_.try_emplace(request.request_id, name);
    if (!is_new) return place->second;
  }
  tasks_.push_back({name, std::move(request)});
  return name;
}

std::vector<absl::StatusOr<std::string>> SpawnedTasks::SpawnAll(
    std::vector<SpawnRequest> requests) {
  std::vector<absl::StatusOr<std::string>> names;
  names.reserve(requests.size());
  for (SpawnRequest& request : requests) names.push_back(Spawn(std::move(request)));
  return names;
}

absl::StatusOr<TaskResult> SpawnedTasks::Wait(std::string_view task, absl::Duration timeout) {
  if (const auto known = results_.find(task); known != results_.end()) return known->second;
  const auto found = std::find_if(tasks_.begin(), tasks_.end(),
                                  [&](const Task& spawned) { return spawned.name == task; });
  if (found == tasks_.end()) {
    return absl::NotFoundError("no task of that name was spawned in this test");
  }
  const Task copy = *found;  // others may be spawned while it runs
  Timeout bound(timeout);
  absl::StatusOr<TaskResult> result = run_(copy);
  if (bound.fired()) {
    return WithReason(absl::DeadlineExceededError("the task has not ended"), "WAIT_OVER");
  }
  if (result.ok()) results_.emplace(copy.name, *result);
  return result;
}

}  // namespace grove::test_kit
