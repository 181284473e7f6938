// TaskId: the 128 bits that name a task.
//
// As in a ULID: 48 bits of milliseconds since the epoch, then 80 random bits, written as 26
// characters of Crockford's base32, so that ids sort by time as numbers and as text.
#ifndef GROVE_SERVER_TASKS_TASK_ID_H_
#define GROVE_SERVER_TASKS_TASK_ID_H_

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include "server/tasks/engine_time.h"

namespace grove::tasks {

struct TaskId {
  static constexpr size_t kTextSize = 26;

  uint64_t high = 0;
  uint64_t low = 0;

  // nullopt unless `text` is exactly what ToString() gives for some id.
  static std::optional<TaskId> Parse(std::string_view text);
  std::string ToString() const;
  std::array<char, kTextSize> ToText() const;

  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 sees a 0 in what the compiler writes here.
  friend auto operator<=>(const TaskId&, const TaskId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const TaskId& id) {
    return H::combine(std::move(h), id.high, id.low);
  }
};

// Makes ids that grow strictly, also within a millisecond and when the clock steps back.
class TaskIdSource {
 public:
  // `seed` from the system's entropy: two runs with the same one could repeat each other's ids.
  explicit TaskIdSource(uint64_t seed) : random_(seed) {}

  TaskId Next(EngineMicros now_us);
  // Those to come are greater than `known`, which an earlier control has given out.
  void PassOver(const TaskId& known) { last_ = std::max(last_, known); }

 private:
  std::mt19937_64 random_;
  TaskId last_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_ID_H_
