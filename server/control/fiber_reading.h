// FiberReading: the fibers of workers: asked of their hubs, and read from outside where a hub does
// not answer.
//
// A worker that is known to be stuck, or has no link, is read from outside at once, another that
// does not answer in time then. Says of each how it was read. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_FIBER_READING_H_
#define GROVE_SERVER_CONTROL_FIBER_READING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/watch/outside_fibers.h"
#include "server/control/worker_links.h"
#include "server/metrics/scoreboard.h"

namespace grove::control {

// A hub that has not answered by then is read from outside.
inline constexpr absl::Duration kFibersTimeout = absl::Seconds(2);

// Why a worker's hub is not asked for anything; empty: it is.
std::string WhyNotAsked(const metrics::Scoreboard& scoreboard, const WorkerLinks& links, int worker,
                        MonotonicNanos now);

class FiberReading {
 public:
  struct Ask {
    int worker = 0;
    uint64_t after = 0;
    int32_t limit = 0;
    WorkerLink::Stacks stacks = WorkerLink::Stacks::kNo;
  };
  struct Answer {
    // Null: the process is gone, or must not be read.
    std::unique_ptr<internal::v1::ListFibersReply> reply;
    // "hub"; "from outside: its hub has not turned for 12 s"; without a reply: why there is none.
    std::string how;
  };

  FiberReading(Hub& hub, const metrics::Scoreboard& scoreboard, const WorkerLinks& links,
               OffloadPool& offload)
      : hub_(hub), scoreboard_(scoreboard), links_(links), offload_(offload) {}

  // All workers at once; in the order of `asks`. **Parks**, at most for kFibersTimeout and the
  // reading from outside.
  std::vector<Answer> Read(const std::vector<Ask>& asks);

 private:
  Answer ReadOutside(const Ask& ask, const std::string& why);

  Hub& hub_;
  const metrics::Scoreboard& scoreboard_;
  const WorkerLinks& links_;
  OffloadPool& offload_;
  OutsideReader outside_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_FIBER_READING_H_
