// TaskWatch: what one watch of tasks is told next.
//
// First, if asked for, the tasks that match, then each that has changed, as it is when it is told:
// nothing is kept for a watch but its place in a log that all watches of the tenant share
// (change_log.h). One that is read too slowly meets a gap there, and says so.
// Must not outlive the engine it comes from.
#ifndef GROVE_SERVER_TASKS_TASK_WATCH_H_
#define GROVE_SERVER_TASKS_TASK_WATCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/change_log.h"
#include "server/tasks/engine.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/task_query.h"

namespace grove::tasks {

struct Task;

// Of one message: a millisecond's work.
inline constexpr int kWatchEventsMax = 200;
// The client's token is brought up to date when so many changes that do not match have passed it.
inline constexpr uint64_t kTokenStrideMax = 4096;

class TaskWatch {
 public:
  // INVALID_ARGUMENT, NOT_FOUND (no such tenant or queue).
  static absl::StatusOr<std::unique_ptr<TaskWatch>> Begin(EngineState& state,
                                                          const v1::WatchTasksRequest& request,
                                                          Audience audience, EngineMicros now_us);
  ~TaskWatch();
  TaskWatch(const TaskWatch&) = delete;
  TaskWatch& operator=(const TaskWatch&) = delete;

  enum class Step {
    kMessage,  // `message` is to be sent.
    kMore,     // There may be one: ask again, after others had their turn.
    kNothing,  // Not before HasNews().
    kEnded,    // The tenant is no more: status() says it.
    kRecall,   // What wanted() says is to be recalled, and held until the next step is done.
  };
  struct Wanted {
    // What it finds; else these.
    std::optional<EndedQuery> query;
    std::vector<TaskId> tasks;
  };
  // A bounded piece of work. What only the store has is left out of the tasks.
  Step Next(EngineMicros now_us, v1::WatchTasksResponse& message);
  // Of kRecall.
  const Wanted& wanted() const { return wanted_; }
  // It has been, as far as it is there; for a query: up to `horizon`.
  void Recalled(const std::optional<EndedPosition>& horizon);
  bool HasNews() const;
  const absl::Status& status() const { return status_; }
  v1::TaskView view() const { return view_; }

 private:
  enum class Phase { kBegun, kExisting, kChanges };
  using Gap = v1::WatchTasksResponse::Gap;

  TaskWatch(EngineState& state, const v1::WatchTasksRequest& request, TaskQuery query,
            Audience audience);
  absl::Status Resume(const std::string& token);
  Step NextStep(v1::WatchTasksResponse& message);
  Step TellGap(const ChangeLog& log, v1::WatchTasksResponse& message);
  Step TellExisting(v1::WatchTasksResponse& message);
  Step TellChanges(const ChangeLog& log, v1::WatchTasksResponse& message);
  // Only the store has it, and it may match.
  bool Lacks(TaskId id) const;
  // Whether some of the next tasks have to be recalled first.
  bool LacksExisting();
  bool LacksChanged(const ChangeLog& log);
  void TellChange(const ChangeLog::Change& change, v1::WatchTasksResponse& message);
  // Whether the message has room for one more.
  bool HasRoom(const v1::WatchTasksResponse& message) const;
  v1::Task View(const Task& task);
  std::string Token() const;

  EngineState& state_;
  const TaskQuery query_;
  const v1::TaskView view_;
  const bool with_existing_;
  const Audience audience_;
  // All that selects what is told.
  const std::string list_;

  uint64_t serial_ = 0;  // its log's
  uint64_t position_ = 0;
  uint64_t told_position_ = 0;  // of the last token
  Phase phase_ = Phase::kBegun;
  Gap::Cause gap_ = Gap::CAUSE_UNSPECIFIED;  // to be told first
  // Of the existing ones: how far they were looked for, found and not told yet; the last of them.
  TaskCursor cursor_;
  std::vector<TaskId> found_;
  size_t next_found_ = 0;
  bool found_all_ = false;
  TaskId newest_;
  Wanted wanted_;
  // Since the last step but kRecall: the query's have been recalled; so have these, and what of
  // them is not there is not to be had.
  bool was_found_ = false;
  absl::flat_hash_set<TaskId> recalled_;
  int64_t bytes_ = 0;  // of the message being made
  absl::Status status_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_WATCH_H_
