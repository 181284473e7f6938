// WriteVolatileTasks, VolatileTaskReader: tasks that are in memory alone, from control to the next.
//
// Volatile tasks die with the daemon, not with an operation that replaces control. They go through
// a memory file that the supervisor holds, never to a disk: their callers were told that they would
// not. What is read stays in the file until the successor serves (EmptyVolatileTasks): one that
// dies before leaves it to whoever comes then.
#ifndef GROVE_SERVER_TASKS_VOLATILE_HANDOVER_H_
#define GROVE_SERVER_TASKS_VOLATILE_HANDOVER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tasks/engine.h"
#include "server/tasks/store.h"

namespace grove::tasks {

// In place of what the memory file `fd` holds. How many. An error names the call (no memory for a
// second copy of them, as a rule), and leaves it empty.
absl::StatusOr<int64_t> WriteVolatileTasks(const TaskEngine& engine, int fd);

// Their successor has taken them over for good.
absl::Status EmptyVolatileTasks(int fd);

// Reads a memory file from its start, one task at a time: all of them may fill half the memory.
class VolatileTaskReader {
 public:
  // `fd` stays the caller's.
  explicit VolatileTaskReader(int fd) : fd_(fd) { Advance(); }

  // In the order of the ids; nullptr behind the last one.
  const StoredTask* next() const { return next_ ? &*next_ : nullptr; }
  // Requires: next().
  StoredTask Take();
  // OK, or why the last one was the last. DATA_LOSS: something else follows.
  const absl::Status& status() const { return status_; }

 private:
  void Advance();
  // Reads `size` bytes of the file into `bytes_`; false if there are not as many.
  bool Read(size_t size);

  const int fd_;
  int64_t offset_ = 0;
  std::string bytes_;
  std::optional<StoredTask> next_;
  absl::Status status_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_VOLATILE_HANDOVER_H_
