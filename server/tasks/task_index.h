// TaskIndex: all tasks, by their ids. RequestIndex: those of a tenant that have a request_id, by
// it.
//
// A million entries of maps that repeated the ids would be 30 MB more, and tables of pointers alone
// would look at every task whenever they grow or clean up. So the one is a table of chains through
// the tasks, which grows by a chain at a time (linear hashing), and the other keeps the hashes.
#ifndef GROVE_SERVER_TASKS_TASK_INDEX_H_
#define GROVE_SERVER_TASKS_TASK_INDEX_H_

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "server/tasks/task.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

// Owns them; their addresses stay.
class TaskIndex {
 public:
  TaskIndex() = default;
  ~TaskIndex();
  TaskIndex(const TaskIndex&) = delete;
  TaskIndex& operator=(const TaskIndex&) = delete;

  // nullptr if there is none.
  Task* Find(const TaskId& id) const;
  // It is to be found soon: Prefetch() says so to begin with, PrefetchTask() a few finds later.
  // Either of them is a hint, and may be left out.
  void Prefetch(const TaskId& id) const { __builtin_prefetch(&chains_[ChainOf(id)]); }
  void PrefetchTask(const TaskId& id) const;
  // In no order.
  void ForEach(absl::FunctionRef<void(const Task&)> each) const;
  size_t size() const { return size_; }

  // Requires that no task has its id.
  void Insert(std::unique_ptr<Task> task);
  // Requires that it is here; destroys it.
  void Erase(Task* task);

 private:
  // Where the chain that has the id begins.
  size_t ChainOf(const TaskId& id) const;
  // Makes one more chain, of what is its own in the one before.
  void Split();

  std::vector<Task*> chains_ = {nullptr};
  size_t size_ = 0;
};

// For a walk along `queue`, whose first elements are looked up next: a task that nobody has looked
// at for a while is not in the cache, and to wait for memory is most of what a find costs then.
template <typename Queue, typename IdOf>
void PrefetchAhead(const TaskIndex& tasks, const Queue& queue, IdOf id_of) {
  constexpr size_t kChain = 8;
  constexpr size_t kTask = 4;
  if (queue.size() > kChain) tasks.Prefetch(id_of(queue[kChain]));
  if (queue.size() > kTask) tasks.PrefetchTask(id_of(queue[kTask]));
}

class RequestIndex {
 public:
  // nullptr if there is none.
  Task* Find(std::string_view request_id) const;
  bool empty() const { return entries_.empty(); }

  // Require that it has a request_id. One that another has stays with that.
  void Insert(Task* task);
  void Erase(Task* task);

 private:
  struct Entry {
    size_t hash = 0;
    Task* task = nullptr;
  };
  struct Wanted {
    size_t hash = 0;
    std::string_view request_id;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const Entry& entry) const { return entry.hash; }
    size_t operator()(const Wanted& wanted) const { return wanted.hash; }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.task == b.task; }
    bool operator()(const Entry& entry, const Wanted& wanted) const {
      return entry.hash == wanted.hash && entry.task->spec.extras().request_id == wanted.request_id;
    }
    bool operator()(const Wanted& wanted, const Entry& entry) const {
      return (*this)(entry, wanted);
    }
  };
  static Wanted Want(std::string_view request_id);

  absl::flat_hash_set<Entry, Hash, Same> entries_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_INDEX_H_
