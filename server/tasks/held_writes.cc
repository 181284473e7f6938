#include "server/tasks/held_writes.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace grove::tasks {
namespace {

// Columns, index and what a page leaves unused.
constexpr int64_t kRowBytes = 256;

int64_t SizeOf(const StoreWrite& write) {
  return kRowBytes + static_cast<int64_t>(write.task.spec.size() + write.task.input.size() +
                                          write.task.progress.task.size());
}

int64_t SizeOf(const TaskChange& change) {
  if (change.kind == StoreWrite::Kind::kDelete) return kRowBytes;
  const StoredTask& task = change.write->task;
  const bool is_insert = change.kind == StoreWrite::Kind::kInsert;
  const size_t spec = is_insert ? task.spec.size() + task.input.size() : 0;
  return kRowBytes + static_cast<int64_t>(spec + change.progress->task.size());
}

// The later write about a task on top of what is known of it.
void FoldIn(const StoreWrite& write, TaskChange& change) {
  if (write.kind == StoreWrite::Kind::kQueue) {
    change.progress = &write.task.progress;
  } else if (write.kind == StoreWrite::Kind::kUpdate) {
    if (change.write != nullptr && change.kind == StoreWrite::Kind::kDelete) return;
    change.progress = &write.task.progress;
    if (change.write != nullptr && change.kind == StoreWrite::Kind::kInsert) return;
  } else {
    change.progress = write.kind == StoreWrite::Kind::kInsert ? &write.task.progress : nullptr;
  }
  change.kind = write.kind;
  change.write = &write;
}

// Deletes, updates, inserts.
int Rank(const TaskChange& change) {
  return change.kind == StoreWrite::Kind::kDelete   ? 0
         : change.kind == StoreWrite::Kind::kInsert ? 2
                                                    : 1;
}

}  // namespace

void HeldWrites::Add(std::vector<StoreWrite> writes) {
  if (writes.empty()) return;
  added_through_ = writes.back().ticket;
  const auto batch = std::make_shared<const Batch>(std::move(writes));
  for (const StoreWrite& write : *batch) {
    if (write.kind == StoreWrite::Kind::kInsert) insert_bytes_ += SizeOf(write);
    writes_.push_back({&write, batch});
  }
}

uint64_t HeldWrites::through() const {
  return writes_.empty() ? added_through_ : At(0).ticket - 1;
}

std::vector<HeldWrites::Fold> HeldWrites::FoldAll(size_t count) const {
  std::vector<Fold> folds;
  absl::flat_hash_map<TaskId, size_t> places;
  places.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    size_t place = folds.size();
    // What is said of a queue is rare, and about no task: each stands for itself.
    if (At(i).kind != StoreWrite::Kind::kQueue) {
      place = places.try_emplace(At(i).task.id, place).first->second;
    }
    if (place == folds.size()) folds.emplace_back();
    FoldIn(At(i), folds[place].change);
    folds[place].positions.push_back(i);
  }
  return folds;
}

WriteGroup HeldWrites::Gather(std::vector<Fold> folds) {
  std::stable_sort(folds.begin(), folds.end(),
                   [](const Fold& a, const Fold& b) { return Rank(a.change) < Rank(b.change); });
  WriteGroup group;
  for (const Fold& fold : folds) {
    group.changes.push_back(fold.change);
    group.covered.insert(group.covered.end(), fold.positions.begin(), fold.positions.end());
  }
  std::sort(group.covered.begin(), group.covered.end());
  return group;
}

WriteGroup HeldWrites::NextInTurn(const Limits& limits) const {
  size_t count = 0;
  int64_t bytes = 0;
  while (count < std::min(writes_.size(), limits.writes)) {
    bytes += SizeOf(At(count));
    if (count > 0 && bytes > limits.bytes) break;
    ++count;
  }
  return Gather(FoldAll(count));
}

WriteGroup HeldWrites::NextThatFrees(const Limits& limits, int64_t insert_bytes_max) const {
  std::vector<Fold> folds = FoldAll(writes_.size());
  int first = 2;
  for (const Fold& fold : folds) first = std::min(first, Rank(fold.change));
  std::vector<Fold> taken;
  int64_t bytes = 0;
  for (Fold& fold : folds) {
    if (Rank(fold.change) != first) continue;
    bytes += SizeOf(fold.change);
    if (first == 2 && bytes > insert_bytes_max) break;
    if (!taken.empty() && (bytes > limits.bytes || taken.size() == limits.writes)) break;
    taken.push_back(std::move(fold));
  }
  return Gather(std::move(taken));
}

void HeldWrites::Remove(const WriteGroup& group) {
  for (const size_t at : group.covered) {
    if (At(at).kind == StoreWrite::Kind::kInsert) insert_bytes_ -= SizeOf(At(at));
  }
  // From the front, as it mostly is, no write moves.
  if (!group.covered.empty() && group.covered.back() == group.covered.size() - 1) {
    writes_.erase(writes_.begin(), writes_.begin() + group.covered.size());
    return;
  }
  auto next = group.covered.begin();
  size_t at = 0;
  const auto is_covered = [&](const Held&) {
    if (next == group.covered.end() || *next != at++) return false;
    ++next;
    return true;
  };
  std::erase_if(writes_, is_covered);
}

}  // namespace grove::tasks
