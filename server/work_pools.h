// WorkPools: a worker's own pools of threads and of processes, by the names that its application
// gave them.
//
// Each kind of blocking work gets threads, or processes, a queue and limits of its own. What runs
// in them is counted by name, for all workers together (grove_work_pool_* of /metrics). Hub thread
// only.
#ifndef GROVE_SERVER_WORK_POOLS_H_
#define GROVE_SERVER_WORK_POOLS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/offload/offload.h"
#include "runtime/process_pool/process_pool.h"

namespace grove {

// Of both kinds together: each has series of its own on /metrics.
inline constexpr size_t kWorkPoolsMax = 32;
// Of one pool, in each worker.
inline constexpr int kWorkPoolSizeMax = 1024;

// What a worker's application asks for.
struct WorkPoolOptions {
  std::vector<OffloadPool::Options> offload;
  std::vector<ProcessPoolOptions> processes;
};

// Of one pool: levels now, and counts since the worker began.
struct WorkPoolNumbers {
  std::string_view name;
  std::string_view kind;  // "threads", "processes"
  int64_t size = 0;
  int64_t busy = 0;
  int64_t queued = 0;
  uint64_t calls = 0;     // that have returned
  uint64_t refused = 0;   // the queue was full, or they waited in it for too long
  uint64_t dropped = 0;   // given up while they were queued
  uint64_t failures = 0;  // their process ended, or was killed for the time they took
  double wait_seconds = 0;
  double run_seconds = 0;
};

class WorkPools {
 public:
  WorkPools() = default;
  WorkPools(const WorkPools&) = delete;
  WorkPools& operator=(const WorkPools&) = delete;

  // The pool `name`, which lives as long as the worker's hub runs. kNotFound names those there are.
  absl::StatusOr<OffloadPool*> Offload(std::string_view name) const;
  absl::StatusOr<ProcessPool*> Processes(std::string_view name) const;

  // --- For the worker.

  // Requires: a fiber of the worker, once. No thread and no process is started. kInvalidArgument
  // names pool and option.
  absl::Status Open(const WorkPoolOptions& options);
  // Ends the processes; calls under way end first, or are killed if it is interrupted. **Parks.**
  absl::Status StopProcesses();
  // Ends the threads, once the hub has ended.
  void StopThreads();

  bool empty() const { return offload_.empty() && processes_.empty(); }
  // In the order of kinds and names, always the same one.
  void Visit(absl::FunctionRef<void(const WorkPoolNumbers&)> see) const;

 private:
  template <typename Pool>
  struct Sized {
    int size = 0;
    std::unique_ptr<Pool> pool;
  };

  std::map<std::string, Sized<OffloadPool>, std::less<>> offload_;
  std::map<std::string, Sized<ProcessPool>, std::less<>> processes_;
};

// Of where there is none.
WorkPools& NoWorkPools();

}  // namespace grove

#endif  // GROVE_SERVER_WORK_POOLS_H_
