// PeriodicWork: runs what the application registered to be done every so often.
//
// Each entry has a LoopingCall, and each run a fiber of its own, so that an exception ends that run
// alone. Runs of one entry never overlap; deadlines that pass while one runs are skipped. Hub
// thread only.
#ifndef GROVE_SERVER_WORKER_PERIODIC_H_
#define GROVE_SERVER_WORKER_PERIODIC_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "runtime/repeat/looping_call.h"
#include "server/application.h"

namespace grove::worker {

class PeriodicWork {
 public:
  // Both must outlive it.
  PeriodicWork(const std::vector<Application::Periodic>& entries, WorkerServices& services)
      : entries_(entries), services_(services) {}
  PeriodicWork(const PeriodicWork&) = delete;
  PeriodicWork& operator=(const PeriodicWork&) = delete;

  // Spawns a fiber for each entry that concerns this worker. Its first run is one interval away.
  absl::Status Start();
  // Begins no further run and waits for those under way. **Parks.**
  absl::Status Stop();

 private:
  absl::StatusOr<LoopStep> RunOnce(const Application::Periodic& entry);

  const std::vector<Application::Periodic>& entries_;
  WorkerServices& services_;
  std::vector<std::unique_ptr<LoopingCall>> loops_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_PERIODIC_H_
