// MemoryStore: a TaskStore that loses everything with its process.
//
// For tests: what the interface says and no more, whatever a database does beside it. Writes are
// safe at once, and callbacks come within the calls. One thread.
#ifndef GROVE_SERVER_TASKS_MEMORY_STORE_H_
#define GROVE_SERVER_TASKS_MEMORY_STORE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/tasks/store.h"

namespace grove::tasks {

class MemoryStore final : public TaskStore {
 public:
  // What the retention leaves out is deleted.
  absl::Status Load(const StoreRetention& retention,
                    absl::FunctionRef<void(StoredTask)> each) override;
  absl::Status LoadQueues(absl::FunctionRef<void(StoredQueue)> each) override;
  uint64_t start_number() const override { return 1; }
  void Start(ReportCallback report) override { report_ = std::move(report); }
  void Write(std::vector<StoreWrite> writes) override;
  void Read(std::vector<TaskId> tasks, ReadCallback done) override;
  absl::Status Stop() override { return absl::OkStatus(); }

 private:
  void Apply(StoreWrite write);

  ReportCallback report_;
  std::map<TaskId, StoredTask> rows_;
  // Settings, by tenant and queue.
  std::map<std::pair<std::string, std::string>, std::string> queues_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_MEMORY_STORE_H_
