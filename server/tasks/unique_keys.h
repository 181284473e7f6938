// UniqueKeys: which task has which unique key.
//
// A key belongs to a tenant's function, from the moment at which its task is admitted until that
// has ended. Kept by lifecycle.h.
#ifndef GROVE_SERVER_TASKS_UNIQUE_KEYS_H_
#define GROVE_SERVER_TASKS_UNIQUE_KEYS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "server/tasks/task.h"

namespace grove::tasks {

class UniqueKeys {
 public:
  std::optional<TaskId> Find(size_t tenant, size_t function, const std::string& key) const {
    const auto found = holders_.find(Key(tenant, function, key));
    return found == holders_.end() ? std::nullopt : std::optional(found->second);
  }
  // Both do nothing for a task without a key. One that another has stays with that.
  void Take(size_t tenant, const Task& task) {
    if (task.spec.extras().unique == nullptr) return;
    holders_.try_emplace(Key(tenant, task.function, task.spec.extras().unique->key), task.id);
  }
  void Give(size_t tenant, const Task& task) {
    if (task.spec.extras().unique == nullptr) return;
    const auto found = holders_.find(Key(tenant, task.function, task.spec.extras().unique->key));
    if (found != holders_.end() && found->second == task.id) holders_.erase(found);
  }
  size_t size() const { return holders_.size(); }

 private:
  using Key = std::tuple<size_t, size_t, std::string>;

  absl::flat_hash_map<Key, TaskId> holders_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_UNIQUE_KEYS_H_
