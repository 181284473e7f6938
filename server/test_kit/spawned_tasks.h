// SpawnedTasks: the tasks that an application under test spawns, kept instead of sent.
//
// None runs by itself: a test looks at what was asked for, and runs it if it wants to. Who waits
// for one has it run, once for all who wait. (Those of a schedule are waited for by it.)
// Hub thread only.
#ifndef GROVE_SERVER_TEST_KIT_SPAWNED_TASKS_H_
#define GROVE_SERVER_TEST_KIT_SPAWNED_TASKS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/sync/event.h"
#include "server/task_client.h"

namespace grove::test_kit {

class SpawnedTasks final : public TaskClient {
 public:
  struct Task {
    std::string name;
    SpawnRequest request;
  };
  // Runs one to its end. **Parks.**
  using Runner = std::function<absl::StatusOr<TaskResult>(const Task& task)>;

  explicit SpawnedTasks(Runner run) : run_(std::move(run)) {}

  // The same request_id again is the same task.
  absl::StatusOr<std::string> Spawn(SpawnRequest request) override;
  std::vector<absl::StatusOr<std::string>> SpawnAll(std::vector<SpawnRequest> requests) override;
  // Runs it unless it has run. One whose end was not waited for begins again at the next Wait().
  absl::StatusOr<TaskResult> Wait(std::string_view task, absl::Duration timeout) override;

  // Runs those that have not run, one after the other, and what these spawn too. How many those
  // were. **Parks.**
  size_t RunAll();

  // In the order in which they were spawned.
  const std::vector<Task>& tasks() const { return tasks_; }

 private:
  // Who comes while it runs waits for its end.
  absl::StatusOr<TaskResult> RunOnce(const Task& task);

  const Runner run_;
  std::vector<Task> tasks_;
  std::map<std::string, std::string> by_request_;
  std::map<std::string, TaskResult, std::less<>> results_;
  // Of those that run: set at the end.
  std::map<std::string, std::shared_ptr<Event>, std::less<>> running_;
};

}  // namespace grove::test_kit

#endif  // GROVE_SERVER_TEST_KIT_SPAWNED_TASKS_H_
