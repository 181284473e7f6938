// Effects: what the task engine wants done.
//
// The engine appends, its owner carries out and clears; several events may share one Effects.
#ifndef GROVE_SERVER_TASKS_EFFECTS_H_
#define GROVE_SERVER_TASKS_EFFECTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "grove/internal/v1/link.pb.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/store.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

// A frame is closed once its inputs pass this: well below the link's 64 MiB with the largest
// allowed input on top.
inline constexpr size_t kFrameInputBytesMax = 16 << 20;

// Something happened that is counted: not what recovery finds in the store, which the control that
// saw it has counted.
struct Tally {
  enum class Kind : uint8_t {
    kSpawned,
    kRejected,      // by `reason`; `queue` may be SIZE_MAX: it named none
    kAttemptEnded,  // `what`: grove.internal.v1.AttemptEnded.Outcome; `us`: from start to end
    kRan,           // `us`: time of an attempt on its worker's hub
    kEnded,         // `what`: grove.v1.TaskState; `us`: since it was accepted
    kWorkerTime,    // `us`: for which a tenant held slots
    kIdleSlots,     // `us`: for which slots were idle although a task could have started
  };
  Kind kind = Kind::kSpawned;
  size_t tenant = SIZE_MAX;
  size_t queue = SIZE_MAX;
  size_t function = SIZE_MAX;
  int what = 0;
  int64_t us = 0;
  std::string reason;
};

struct Effects {
  struct WorkerFrames {
    // To be sent in this order. Those of a worker without a link are to be dropped: Hello settles
    // the difference.
    std::vector<internal::v1::ControlFrame> frames;
    size_t last_frame_input_bytes = 0;
  };

  absl::btree_map<int32_t, WorkerFrames> to_workers;
  // For TaskStore::Write, in this order.
  std::vector<StoreWrite> writes;
  // A task's first attempt is on its way.
  struct FirstStart {
    TaskId task;
    size_t function = 0;
    // When it could have started: its delay, if any, was over.
    EngineMicros ready_us = 0;
    EngineMicros start_us = 0;
  };

  std::vector<FirstStart> first_starts;
  // What is only to be counted.
  std::vector<Tally> tallies;
  // Tasks that start with an input that only the store has: for TaskStore::Read, and then Loaded().
  std::vector<TaskId> loads;
  // Spawned tasks that may now be acknowledged: on disk, if durable. Only those that Spawn did not
  // acknowledge itself.
  std::vector<TaskId> acknowledged;
  // Tasks that have ended, and are settled: the end is on disk, if durable. Waiters may be
  // answered.
  std::vector<TaskId> ended;

  // The frame to append to for `worker`, with room for `input_bytes` more.
  internal::v1::ControlFrame& FrameTo(int32_t worker, size_t input_bytes = 0);
  bool empty() const;
  void Clear();
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_EFFECTS_H_
