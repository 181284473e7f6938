// WorkerView: a worker process as the engine sees it.
#ifndef GROVE_SERVER_TASKS_WORKER_VIEW_H_
#define GROVE_SERVER_TASKS_WORKER_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/task.h"

namespace grove::tasks {

// Inputs that are on their way to one worker: it is given nothing more before it has begun some.
// Below the bound of its outbox (worker_link.h), which is what would give way otherwise.
inline constexpr int64_t kUnstartedBytesMax = int64_t{32} << 20;

struct WorkerView {
  bool linked = false;
  bool draining = false;
  // Its hub does not turn (runtime.stuck_ms).
  bool stuck = false;
  int64_t pid = 0;
  uint64_t incarnation = 0;
  int64_t capacity = 0;
  // By function index.
  std::vector<bool> functions;
  IntrusiveList<LiveAttempt, &LiveAttempt::worker_hook> attempts;
  int64_t running = 0;
  // Of the inputs of attempts that it has not begun.
  int64_t unstarted_bytes = 0;
  // Attempts it runs that control does not know and has cancelled: they take room.
  absl::flat_hash_set<uint64_t> foreign;
  // Without a link: when its attempts are given up.
  EngineMicros grace_ends_us = INT64_MAX;

  int64_t taken() const { return running + static_cast<int64_t>(foreign.size()); }
  int64_t room() const { return unstarted_bytes > kUnstartedBytesMax ? 0 : capacity - taken(); }
  bool knows(size_t function) const { return function < functions.size() && functions[function]; }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_WORKER_VIEW_H_
