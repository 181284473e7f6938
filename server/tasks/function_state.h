// FunctionState: a function as the engine knows it.
#ifndef GROVE_SERVER_TASKS_FUNCTION_STATE_H_
#define GROVE_SERVER_TASKS_FUNCTION_STATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "grove/internal/v1/link.pb.h"
#include "server/tasks/aside_tasks.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/run_mean.h"
#include "server/tasks/task.h"

namespace grove::tasks {

struct FunctionState {
  // A worker announced it. Recovered tasks may name functions that none has (yet).
  bool known = false;
  // Its tenant's own, of workers at the gateway (gateway_functions.h).
  bool of_gateway = false;
  internal::v1::FunctionDescription description;
  // What its attempts hold their slots for.
  RunMean run;
  // Attempts that hold room, abandoned ones too.
  int64_t running = 0;
  IntrusiveList<Task, &Task::backlog_hook> stranded;
  // Of its last task that had others than the default: most have the same, and share it.
  std::shared_ptr<const RetryRules> usual_retry;
  // What found it full, or was called back since.
  Lane aside;

  bool is_full() const {
    return description.concurrency_max() > 0 && running >= description.concurrency_max();
  }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FUNCTION_STATE_H_
