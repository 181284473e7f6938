// RecalledTasks: evicted tasks that a fiber works on.
//
// What it recalls stays in the engine until it is gone, or goes on with what comes next of a query.
// Hub thread only.
#ifndef GROVE_SERVER_CONTROL_RECALLED_TASKS_H_
#define GROVE_SERVER_CONTROL_RECALLED_TASKS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "server/control/engine_driver.h"

namespace grove::control {

class RecalledTasks {
 public:
  explicit RecalledTasks(EngineDriver& driver) : driver_(driver), hold_(driver.HoldRecalled()) {}
  ~RecalledTasks() { driver_.ReleaseRecalled(hold_); }
  RecalledTasks(const RecalledTasks&) = delete;
  RecalledTasks& operator=(const RecalledTasks&) = delete;

  // As EngineDriver's. **Parks**, if there is something to recall.
  absl::Status Recall(std::vector<tasks::TaskId> tasks);
  absl::Status Recall(tasks::EndedQuery query, std::optional<tasks::EndedPosition>& horizon);
  // What FindSome() looks at next, in place of what it has looked at.
  absl::Status RecallFor(const tasks::TaskQuery& query, tasks::TaskCursor& cursor);

 private:
  EngineDriver& driver_;
  uint64_t hold_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_RECALLED_TASKS_H_
