// HeldWrites: the writes that are not on disk yet, and which of them to put there next.
//
// In turn as long as there is room. When the volume is short the ones that free come first, then
// ends and other updates, and new tasks last, as far as they fit. Writes to one task become one
// change. Pure; one thread at a time.
#ifndef GROVE_SERVER_TASKS_HELD_WRITES_H_
#define GROVE_SERVER_TASKS_HELD_WRITES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "server/tasks/store.h"

namespace grove::tasks {

// What becomes of one task, or queue. Points into HeldWrites.
struct TaskChange {
  StoreWrite::Kind kind = StoreWrite::Kind::kInsert;
  // The insert, if it is one; else the last write.
  const StoreWrite* write = nullptr;
  // Of the last write; nullptr for kDelete.
  const StoredProgress* progress = nullptr;
};

// What goes to disk together.
struct WriteGroup {
  // Deletes, then updates, then inserts: pages that become free are used at once.
  std::vector<TaskChange> changes;
  // Positions of the writes that are done with these changes, ascending.
  std::vector<size_t> covered;
};

class HeldWrites {
 public:
  struct Limits {
    size_t writes = 10000;
    int64_t bytes = int64_t{16} << 20;
  };

  void Add(std::vector<StoreWrite> writes);

  bool empty() const { return writes_.empty(); }
  // Every write up to this ticket is gone from here.
  uint64_t through() const;
  // Of new tasks.
  int64_t insert_bytes() const { return insert_bytes_; }

  // Groups hold at least one write, whatever the limits.
  WriteGroup NextInTurn(const Limits& limits) const;
  // Empty if what is left are new tasks that do not fit into `insert_bytes_max`.
  WriteGroup NextThatFrees(const Limits& limits, int64_t insert_bytes_max) const;
  // The group, which is the last one that was given out, is on disk.
  void Remove(const WriteGroup& group);

 private:
  struct Fold {
    TaskChange change;
    // Everything about the task, ascending.
    absl::InlinedVector<size_t, 3> positions;
  };
  // By the first positions of their tasks.
  std::vector<Fold> FoldAll(size_t count) const;
  static WriteGroup Gather(std::vector<Fold> folds);

  // As they came: a write is large, and stays where it is. They go when the last one of them is on
  // disk.
  using Batch = std::vector<StoreWrite>;
  struct Held {
    const StoreWrite* write = nullptr;
    std::shared_ptr<const Batch> batch;
  };

  const StoreWrite& At(size_t position) const { return *writes_[position].write; }

  std::deque<Held> writes_;
  int64_t insert_bytes_ = 0;
  uint64_t added_through_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_HELD_WRITES_H_
