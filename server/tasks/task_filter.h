// TaskFilter: whether a task is what a grove.v1.TaskFilter asks for.
//
// Pure: looks at one record at a time.
#ifndef GROVE_SERVER_TASKS_TASK_FILTER_H_
#define GROVE_SERVER_TASKS_TASK_FILTER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/ended_query.h"
#include "server/tasks/task_id.h"
#include "server/wall_time.h"

namespace grove::tasks {

struct EngineState;
struct Task;

inline constexpr size_t kFilterTextMax = 256;
inline constexpr int kFilterNamesMax = 10000;

class TaskFilter {
 public:
  // INVALID_ARGUMENT naming the field below `filter`.
  static absl::StatusOr<TaskFilter> Create(const v1::TaskFilter& filter);

  bool Matches(const EngineState& state, const Task& task) const;
  // Whether it looks at nothing but states and functions, which are counted.
  bool IsCounted() const;
  // Whether NarrowEnded() says all of it.
  bool IsIndexed() const;
  // Of a look at a task, in looks of a filter without a text.
  int cost() const { return text_.empty() ? 1 : kTextCost; }

  // Of tasks of one tenant, looked at in the order of their ids: matches those alone that the task
  // of this name has spawned, and theirs, as far as it is known who was whose.
  void OnlyDescendantsOf(std::string_view name);

  // Asks a store for the ended tasks that may match, and maybe others. False: none may.
  bool NarrowEnded(EndedQuery& ended) const;
  // The names' ids in their order, if there are names: no other task matches.
  const std::optional<std::vector<TaskId>>& ids() const { return ids_; }
  bool HasState(v1::TaskState state) const;
  const std::string& function() const { return function_; }

 private:
  // Several strings are read, and compared byte by byte.
  static constexpr int kTextCost = 10;
  struct Range {
    // Of WallMicros; `before` is beyond it.
    WallMicros from = INT64_MIN;
    WallMicros before = INT64_MAX;
    bool Has(WallMicros us) const { return from <= us && us < before; }
  };

  bool MatchesFamily(const EngineState& state, const Task& task) const;
  bool MatchesPlace(const EngineState& state, const Task& task) const;
  bool MatchesError(const Task& task) const;
  bool MatchesText(const EngineState& state, const Task& task) const;

  // Bit N: the state N.
  uint32_t states_ = 0;
  std::string function_;
  std::vector<std::pair<std::string, std::string>> labels_;
  Range created_;
  std::optional<Range> ended_;
  int error_code_ = 0;
  std::string error_reason_;
  std::optional<int32_t> worker_;
  std::string parent_task_;
  std::string sequence_key_;
  // Names of the ancestor and of the descendants seen so far; nullptr: any will do.
  std::shared_ptr<absl::flat_hash_set<std::string>> family_;
  // In lower case.
  std::string text_;
  std::optional<std::vector<TaskId>> ids_;
  std::vector<std::string> names_;  // in the order of ids_
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_FILTER_H_
