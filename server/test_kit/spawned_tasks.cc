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
  absl::StatusOr<TaskResult> result = RunOnce(copy);
  if (bound.fired()) {
    return WithReason(absl::DeadlineExceededError("the task has not ended"), "WAIT_OVER");
  }
  return result;
}

absl::StatusOr<TaskResult> SpawnedTasks::RunOnce(const Task& task) {
  for (auto runs = running_.find(task.name); runs != running_.end();
       runs = running_.find(task.name)) {
    const std::shared_ptr<Event> ended = runs->second;
    if (absl::Status waited = ended->Wait(); !waited.ok()) return waited;
  }
  if (const auto known = results_.find(task.name); known != results_.end()) return known->second;
  const auto ended = running_.emplace(task.name, std::make_shared<Event>()).first->second;
  absl::StatusOr<TaskResult> result = run_(task);
  running_.erase(task.name);
  if (result.ok()) results_.emplace(task.name, *result);
  ended->Set();
  return result;
}

size_t SpawnedTasks::RunAll() {
  size_t ran = 0;
  for (size_t at = 0; at < tasks_.size(); ++at) {
    const std::string name = tasks_[at].name;
    if (results_.contains(name)) continue;
    Wait(name, absl::InfiniteDuration()).IgnoreError();
    ++ran;
  }
  return ran;
}

}  // namespace grove::test_kit
