#include "server/tasks/retained_tasks.h"

#include "absl/strings/str_cat.h"

namespace grove::tasks {

absl::Status CheckRetained(const RetainedTasks& retained, const RetainedEnds& ends) {
  RetainedEnds found;
  for (const RetentionLane& lane : retained.lanes) {
    for (const RetainedEnd& end : lane.ends) {
      if (ends.contains({end.id, end.end_us})) found.insert({end.id, end.end_us});
    }
  }
  if (found.size() != ends.size()) {
    return absl::InternalError(
        absl::StrCat("ends by retention ", found.size(), ", not ", ends.size()));
  }
  const int64_t kinds = retained.dead_letters + retained.others;
  if (kinds == static_cast<int64_t>(ends.size())) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("ends by kind ", kinds, ", not ", ends.size()));
}

}  // namespace grove::tasks
