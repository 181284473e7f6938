// OffloadPools: a process's pools of threads by name.
//
// Each kind of blocking work gets threads, a queue and limits of its own, so that slow disks do not
// take the threads of a library that computes. Whoever wires the process adds the pools, after the
// last fork; what uses one looks it up once. Any thread, but for Run().
#ifndef GROVE_RUNTIME_OFFLOAD_OFFLOAD_POOLS_H_
#define GROVE_RUNTIME_OFFLOAD_OFFLOAD_POOLS_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/thread_mutex.h"
#include "runtime/offload/offload.h"

namespace grove {

class OffloadPools {
 public:
  // In the order of their names.
  using Stats = std::vector<std::pair<std::string, OffloadPool::Stats>>;

  OffloadPools() = default;
  OffloadPools(const OffloadPools&) = delete;
  OffloadPools& operator=(const OffloadPools&) = delete;

  // `options.name` is the pool's, and its threads'. kInvalidArgument: no name, no thread.
  // kAlreadyExists.
  absl::Status Add(OffloadPool::Options options);
  // Valid as long as this. kNotFound names those there are.
  absl::StatusOr<OffloadPool*> Find(std::string_view name) const;
  // OffloadPool::Run() of the pool `name`; kNotFound as of Find(). **Parks.**
  absl::Status Run(std::string_view name, absl::FunctionRef<void()> call) const;
  // OffloadPool::Stop() of each. Not from a fiber.
  void Stop();

  Stats stats() const;

 private:
  mutable ThreadMutex mutex_;
  std::map<std::string, std::unique_ptr<OffloadPool>, std::less<>> pools_;  // guarded by mutex_
};

}  // namespace grove

#endif  // GROVE_RUNTIME_OFFLOAD_OFFLOAD_POOLS_H_
