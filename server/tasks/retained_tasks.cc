#include "server/tasks/retained_tasks.h"

#include "absl/strings/str_cat.h"

namespace grove::tasks {
namespace {

int64_t Listed(const EndedKind& kind) {
  int64_t listed = 0;
  for (const TaskPast* past = kind.tasks.front(); past != nullptr; past = kind.tasks.Next(past)) {
    ++listed;
  }
  return listed;
}

}  // namespace

absl::Status CheckRetained(const RetainedTasks& retained, int64_t count) {
  for (const EndedKind* kind : {&retained.dead_letters, &retained.others}) {
    if (const int64_t listed = Listed(*kind); listed != kind->count) {
      return absl::InternalError(
          absl::StrCat("ended of a kind ", kind->count, ", listed ", listed));
    }
  }
  if (const int64_t all = retained.dead_letters.count + retained.others.count; all != count) {
    return absl::InternalError(absl::StrCat("ended by kind ", all, ", not ", count));
  }
  int64_t in_lanes = 0;
  for (const RetentionLane& lane : retained.lanes) {
    for (const TaskPast* past = lane.tasks.front(); past != nullptr; past = lane.tasks.Next(past)) {
      ++in_lanes;
      if (&past->task->past() != past) return absl::InternalError("the task of a past");
    }
  }
  if (in_lanes == count) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("ended by retention ", in_lanes, ", not ", count));
}

}  // namespace grove::tasks
