// MemoryStore: a TaskStore that loses everything with its process.
//
// For tests: what the interface says and no more, whatever a database does beside it. Writes are
// safe at once, and callbacks come within the calls. One thread.
#ifndef GROVE_SERVER_TASKS_MEMORY_STORE_H_
#define GROVE_SERVER_TASKS_MEMORY_STORE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/tasks/store.h"

namespace grove::tasks {

class MemoryStore final : public TaskStore {
 public:
  absl::Status Load(const StoreRetention& retention,
                    absl::FunctionRef<void(StoredTask)> each) override;
  absl::Status LoadEnded(const StoreRetention& retention,
                         absl::FunctionRef<void(const EndedRecord&)> each) override;
  absl::Status LoadQueues(absl::FunctionRef<void(StoredQueue)> each) override;
  uint64_t start_number() const override { return 1; }
  void Start(ReportCallback report) override { report_ = std::move(report); }
  void Write(std::vector<StoreWrite> writes) override;
  void Read(std::vector<TaskId> tasks, ReadCallback done) override;
  void FindEnded(EndedQuery query, FindCallback done) override;
  absl::Status Stop() override { return absl::OkStatus(); }

 private:
  // Time of the end, or 0 in an order by creation; the task.
  using Place = std::pair<WallMicros, TaskId>;
  struct Kind {
    std::set<Place> by_id;
    std::set<Place> by_end;
  };
  // Tenant, queue, function, state.
  using KindKey = std::tuple<std::string, std::string, std::string, int32_t>;
  struct Row {
    StoredTask task;
    KindKey kind;
  };

  void Apply(StoreWrite write);
  // Into the index of ended tasks, and out of it.
  void Enter(Row& row, KindKey kind);
  void Leave(const Row& row);
  // The end that the retention leaves first.
  Place FirstKept(const StoreRetention& retention) const;

  ReportCallback report_;
  std::map<TaskId, Row> rows_;
  std::map<KindKey, Kind> kinds_;
  std::map<std::pair<std::string, std::string>, std::string> queues_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_MEMORY_STORE_H_
