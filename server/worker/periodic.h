// PeriodicWork: runs what the application registered to be done every so often.
//
// One fiber per entry waits for the next deadline; each run is a fiber of its own, so that an
// exception ends that run alone. Runs of one entry never overlap; deadlines that pass while one
// runs are skipped. Hub thread only.
#ifndef GROVE_SERVER_WORKER_PERIODIC_H_
#define GROVE_SERVER_WORKER_PERIODIC_H_

#include <vector>

#include "absl/status/status.h"
#include "runtime/hub/fiber.h"
#include "runtime/sync/event.h"
#include "server/application.h"

namespace grove::worker {

// The first deadline after `now` on the grid that `due` and `interval` span. Pure.
MonotonicNanos NextDue(MonotonicNanos due, MonotonicNanos now, absl::Duration interval);

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
  absl::Status Repeat(const Application::Periodic& entry);

  const std::vector<Application::Periodic>& entries_;
  WorkerServices& services_;
  Event stopping_;
  std::vector<FiberHandle> fibers_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_PERIODIC_H_
