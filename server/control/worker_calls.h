// WorkerCalls: what WorkerService's and InspectService's methods do on the hub.
//
// Workers are listed from the scoreboard, so the answer comes also when they are stuck or dead;
// slots that were scaled away are not. Fibers are asked for over the links; a tenant sees its own
// alone. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_WORKER_CALLS_H_
#define GROVE_SERVER_CONTROL_WORKER_CALLS_H_

#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/worker_service.pb.h"
#include "runtime/hub/hub.h"
#include "server/control/call.h"
#include "server/control/fiber_reading.h"
#include "server/control/worker_links.h"
#include "server/metrics/scoreboard.h"

namespace grove::control {

inline constexpr int32_t kWorkersPageDefault = 100;
inline constexpr int32_t kWorkersPageMax = 256;
inline constexpr int32_t kFibersPageDefault = 1'000;
inline constexpr int32_t kFibersPageMax = 10'000;
// With stacks: as many as a worker gives at once.
inline constexpr int32_t kStacksPageMax = 100;
// Index of "workers/N". INVALID_ARGUMENT: of another form; NOT_FOUND: the slot has no worker.
absl::StatusOr<int> ParseWorkerName(std::string_view field, std::string_view name,
                                    const metrics::Scoreboard& scoreboard);

class WorkerCalls {
 public:
  WorkerCalls(Hub& hub, const metrics::Scoreboard& scoreboard, const WorkerLinks& links,
              FiberReading& fibers)
      : hub_(hub), scoreboard_(scoreboard), links_(links), fibers_(fibers) {}
  // What is at the gateway, by number; without it: nothing.
  void set_gateway(std::function<std::vector<v1::Worker>()> gateway) {
    gateway_ = std::move(gateway);
  }

  absl::Status ListWorkers(const v1::ListWorkersRequest& request,
                           v1::ListWorkersResponse& response) const;
  // Answers on a fiber of its own.
  void ListFibers(const CallPtr& call, const v1::ListFibersRequest& request,
                  v1::ListFibersResponse& response) const;
  void GetFiber(const CallPtr& call, const v1::GetFiberRequest& request, v1::Fiber& response) const;

 private:
  int AddGateway(int from, int size, v1::ListWorkersResponse& response) const;
  v1::Worker Describe(int worker) const;
  struct FiberPage;

  absl::Status CollectFibers(const v1::ListFibersRequest& request, const tenancy::Principal& caller,
                             v1::ListFibersResponse& response) const;
  // Of the workers that `page` goes through.
  void CollectAll(const FiberPage& page, v1::ListFibersResponse& response) const;
  void CollectOwn(const FiberPage& page, std::string_view tenant,
                  v1::ListFibersResponse& response) const;
  // Adds a worker's fibers of the tenant. False: the page ends here, and says where the next
  // begins.
  bool AddOwn(const FiberPage& page, FiberReading::Ask ask, std::string_view tenant,
              v1::ListFibersResponse& response) const;
  absl::Status FindFiber(const v1::GetFiberRequest& request, const tenancy::Principal& caller,
                         v1::Fiber& response) const;

  Hub& hub_;
  const metrics::Scoreboard& scoreboard_;
  const WorkerLinks& links_;
  FiberReading& fibers_;
  std::function<std::vector<v1::Worker>()> gateway_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_WORKER_CALLS_H_
