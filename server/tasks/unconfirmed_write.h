// UnconfirmedWrite: a write that the store has not confirmed yet.
#ifndef GROVE_SERVER_TASKS_UNCONFIRMED_WRITE_H_
#define GROVE_SERVER_TASKS_UNCONFIRMED_WRITE_H_

#include <cstdint>

#include "server/tasks/task_id.h"

namespace grove::tasks {

// What to do when the store has confirmed it.
struct UnconfirmedWrite {
  enum class Then { kNothing, kStored, kSettled };

  uint64_t ticket = 0;
  Then then = Then::kNothing;
  TaskId id;
  // To be acknowledged to `worker`; 0 if none.
  uint64_t attempt = 0;
  int32_t worker = -1;
  // What the write holds until then.
  int64_t bytes = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_UNCONFIRMED_WRITE_H_
