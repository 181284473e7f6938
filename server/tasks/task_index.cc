#include "server/tasks/task_index.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/hash/hash.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tasks {
namespace {

constexpr size_t kSplitsAhead = 16;

}  // namespace

TaskIndex::~TaskIndex() {
  for (Task* task : chains_) {
    while (task != nullptr) delete std::exchange(task, task->next_in_index);
  }
}

// With N chains, the low bits of a hash that number up to 2^k >= N chains; those that are not there
// yet are still in the chain without the highest of these bits.
size_t TaskIndex::ChainOf(const TaskId& id) const {
  const size_t all = std::bit_ceil(chains_.size());
  const size_t chain = absl::Hash<TaskId>()(id) & (all - 1);
  return chain < chains_.size() ? chain : chain - all / 2;
}

void TaskIndex::PrefetchTask(const TaskId& id) const {
  if (const Task* first = chains_[ChainOf(id)]) __builtin_prefetch(first);
}

Task* TaskIndex::Find(const TaskId& id) const {
  Task* task = chains_[ChainOf(id)];
  while (task != nullptr && task->id != id) task = task->next_in_index;
  return task;
}

void TaskIndex::ForEach(absl::FunctionRef<void(const Task&)> each) const {
  for (const Task* first : chains_) {
    for (const Task* task = first; task != nullptr; task = task->next_in_index) each(*task);
  }
}

void TaskIndex::Insert(std::unique_ptr<Task> task) {
  if (size_ == chains_.size()) Split();
  Task*& first = chains_[ChainOf(task->id)];
  task->next_in_index = first;
  first = task.release();
  ++size_;
}

void TaskIndex::Erase(Task* task) {
  Task** link = &chains_[ChainOf(task->id)];
  while (*link != task) link = &(*link)->next_in_index;
  *link = task->next_in_index;
  --size_;
  delete task;
}

void TaskIndex::Split() {
  const size_t added = chains_.size();
  chains_.push_back(nullptr);
  const size_t split = added - std::bit_ceil(added + 1) / 2;
  // A task that nobody has looked at for long is not in the cache: those of later splits are called
  // for now. A start with a million tasks splits as often.
  if (const Task* later = chains_[std::min(split + kSplitsAhead, added)]) {
    __builtin_prefetch(later);
  }
  Task** link = &chains_[split];
  while (*link != nullptr) {
    Task* task = *link;
    if (ChainOf(task->id) != added) {
      link = &task->next_in_index;
      continue;
    }
    *link = task->next_in_index;
    task->next_in_index = std::exchange(chains_[added], task);
  }
}

RequestIndex::Wanted RequestIndex::Want(std::string_view request_id) {
  const auto text = Abseil(request_id);
  return {.hash = absl::HashOf(text), .request_id = request_id};
}

Task* RequestIndex::Find(std::string_view request_id) const {
  const auto found = entries_.find(Want(request_id));
  return found == entries_.end() ? nullptr : found->task;
}

void RequestIndex::Insert(Task* task) {
  const Wanted wanted = Want(task->spec.extras().request_id);
  if (!entries_.contains(wanted)) entries_.insert({wanted.hash, task});
}

void RequestIndex::Erase(Task* task) {
  entries_.erase(Entry{Want(task->spec.extras().request_id).hash, task});
}

}  // namespace grove::tasks
