// TaskClient: spawns tasks and waits for them, from within a worker.
//
// Handlers, functions and periodic bodies reach it as `services().tasks`. What is asked goes over
// the worker's link to control, all of a hub turn's in one frame. It is asked for the tenant of the
// running fiber's label: that of the HTTP request, if a `tenant` middleware found it, or of the
// running task; "default" where there is none. No argument names a tenant, so that nothing that a
// user sent can name another.
//
// While control is away (it died, or is being replaced) calls wait for the next one, which is asked
// again: nothing is lost by that, and no task is spawned twice.
// Hub thread only.
#ifndef GROVE_SERVER_TASK_CLIENT_H_
#define GROVE_SERVER_TASK_CLIENT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grove {

// As grove.v1.TaskSpec, with the same limits.
struct SpawnRequest {
  std::string function = "";
  std::string input = "";
  std::string content_type = "application/json";
  // Short name; empty: "default".
  std::string queue = "";
  // Not durable: lives in control's memory, and is accepted without waiting for the disk.
  bool durable = true;
  // Not before this long from now.
  absl::Duration delay = absl::ZeroDuration();
  // Of each attempt; zero: the function's own.
  absl::Duration timeout = absl::ZeroDuration();
  int priority = 0;
  // With the default pauses between them.
  int attempts_max = 1;
  // Another spawn of the same tenant with the same id gets the first one's task. A function that is
  // run again spawns again, unless it says by this that it is the same. Empty: one of its own.
  std::string request_id = "";
  std::vector<std::pair<std::string, std::string>> labels = {};
  // Starts once these tasks of its tenant have ended, by their names; with `after_success` it fails
  // as soon as one has not succeeded.
  std::vector<std::string> after = {};
  bool after_success = false;
  // Tasks with the same one run one after the other; empty: none.
  std::string sequence = "";
  // Those behind it wait while it has ended and not succeeded.
  bool halts_sequence = false;
  // Instead of `input`: a payload of its tenant, by its name. `content_type` says what it is.
  std::string input_payload = "";
  // Of a task that runs: the new one's `parent_task` is that.
  bool child = true;
};

enum class TaskEnd { kSucceeded, kFailed, kCancelled, kTimedOut };

// How a task ended.
struct TaskResult {
  TaskEnd end = TaskEnd::kSucceeded;
  // OK if it succeeded; else its error's code and message.
  absl::Status status;
  std::string output;
  std::string content_type;
  // Instead of the output: a payload's name, which may be the input_payload of another task.
  std::string output_payload = "";
};

// Calls of a worker that wait for an answer, and the bytes of their inputs; beyond it they are
// refused with TOO_MANY_INSIDE.
inline constexpr size_t kInsideCallsMax = 10'000;
inline constexpr size_t kInsideBytesMax = size_t{64} << 20;
// So long a spawn waits for its answer, unless a Timeout around it ends before.
inline constexpr absl::Duration kInsideAnswerMax = absl::Seconds(75);

// Every refusal has a reason (ReasonOf). Those of control are what SpawnTask and WaitTask answer;
// the client's own are
//   CONTROL_AWAY     UNAVAILABLE, or DEADLINE_EXCEEDED where the caller's Timeout ended: there was
//   no
//                    link to control when the time was over
//   NO_ANSWER        the same, with a link. After either a task may run all the same: spawned again
//                    with the same request_id, it is the same task
//   TOO_MANY_INSIDE  RESOURCE_EXHAUSTED: kInsideCallsMax, kInsideBytesMax
//   WAIT_OVER        DEADLINE_EXCEEDED: the task has not ended
// CANCELLED: the fiber was. A spawn that control has heard of goes on.
class TaskClient {
 public:
  virtual ~TaskClient() = default;

  // The task's name, once it is accepted; a durable one: once it is on disk. **Parks.**
  virtual absl::StatusOr<std::string> Spawn(SpawnRequest request) = 0;
  // Each is accepted or refused on its own; in the order of the requests. **Parks.**
  virtual std::vector<absl::StatusOr<std::string>> SpawnAll(std::vector<SpawnRequest> requests) = 0;
  // Until the task has ended, at most `timeout`. NOT_FOUND: it is not the tenant's, or its
  // retention is over, or it was volatile and went with control. A function that waits for a task
  // keeps its own place in its pool and on its worker meanwhile: the tasks that it waits for need
  // places besides. **Parks.**
  virtual absl::StatusOr<TaskResult> Wait(std::string_view task,
                                          absl::Duration timeout = absl::InfiniteDuration()) = 0;
};

// UPPER_SNAKE; empty if `status` has none.
std::string ReasonOf(const absl::Status& status);
// Not sooner than this; zero if `status` says nothing.
absl::Duration RetryDelayOf(const absl::Status& status);
// A status that these two read.
absl::Status WithReason(absl::Status status, std::string_view reason,
                        absl::Duration retry_after = absl::ZeroDuration());

// Refuses everything: UNAVAILABLE, CONTROL_AWAY. For code that runs without a worker.
TaskClient& NoTaskClient();

}  // namespace grove

#endif  // GROVE_SERVER_TASK_CLIENT_H_
