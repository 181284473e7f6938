// FairnessLedger: who got how much worker time of late, and how much would have been fair.
//
// Told what FairShares is told, it judges the outcome and decides nothing. Worker time is what
// attempts hold slots for. Fair is, while a tenant waits, its weight's part of the slots that those
// who wait have between them; while it does not wait, what it uses.
// Pure: told the time, it reads no clock. A tenant that has done nothing for kFairnessWindowUs
// costs a few words.
#ifndef GROVE_SERVER_TASKS_FAIRNESS_LEDGER_H_
#define GROVE_SERVER_TASKS_FAIRNESS_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/recent_waits.h"

namespace grove::tasks {

// What "of late" means: the present second and so many whole ones before it that this is the most.
inline constexpr int64_t kFairnessWindowUs = 10 * kUsPerSecond;

struct TenantFigures {
  size_t tenant = 0;
  int32_t weight = 0;
  int64_t running = 0;
  // Since the ledger was made; in the window.
  int64_t worker_us_total = 0;
  int64_t worker_us = 0;
  // Of the worker time of all in the window; what would have been fair of it. 0 to 1.
  double share = 0;
  double fair_share = 0;
  // From the moment a task could start to its start; at most a fifth too high.
  int64_t start_p99_us = 0;
  // The longest time that it waited and nothing of it ran.
  int64_t longest_gap_us = 0;
  // What its HTTP requests ran on workers, as it was reported: since the ledger was made; in the
  // window.
  int64_t http_us_total = 0;
  int64_t http_us = 0;
};

struct FairnessFigures {
  // Jain's index of what those that waited a tenth of the window or longer got, each over what was
  // fair: 1 if all got the same part, 1/n if one of n got all.
  double jain = 1;
  // Of those that had less than their weight alone would give them, the worst `start_p99_us`.
  int64_t victim_start_p99_us = 0;
  int64_t longest_gap_us = 0;
  // Slots' time, since the ledger was made, in which they were idle while a task could have
  // started.
  int64_t idle_while_backlogged_us = 0;
  int64_t worker_us = 0;
  // Those that waited or ran in the window, or had HTTP requests served, by index.
  std::vector<TenantFigures> active;
};

class FairnessLedger {
 public:
  // As FairShares is told.
  void SetWeight(size_t tenant, int32_t percent, EngineMicros now_us);
  // As SlotShares::Forget.
  void Forget(size_t tenant);
  void SetSlots(int64_t slots, EngineMicros now_us);
  void Wait(size_t tenant, EngineMicros now_us);
  void Leave(size_t tenant, EngineMicros now_us);
  void Start(size_t tenant, int64_t waited_us, EngineMicros now_us);
  void End(size_t tenant, EngineMicros now_us);
  // From now on so many slots are idle although a task could start.
  void SetIdle(int64_t slots, EngineMicros now_us);
  // HTTP requests took that much time, which is beside worker time and no part of the shares.
  void CountHttp(size_t tenant, int64_t us, EngineMicros now_us);

  // What has been used since it was last taken: `each` is called for every tenant that used some.
  void TakeWorkerTime(EngineMicros now_us, absl::FunctionRef<void(size_t tenant, int64_t us)> each);
  // Since it was last taken.
  int64_t TakeIdle(EngineMicros now_us);

  FairnessFigures Figures(EngineMicros now_us);
  // Also of one that is not active.
  int64_t WorkerUsTotal(size_t tenant, EngineMicros now_us);
  int64_t HttpUsTotal(size_t tenant);

 private:
  static constexpr size_t kSeconds = kFairnessWindowUs / kUsPerSecond;

  struct Second {
    int64_t used_us = 0;
    int64_t fair_us = 0;
    int64_t waited_us = 0;
    int64_t gap_us = 0;
    int64_t http_us = 0;
  };
  // What a tenant does and did in the window.
  struct Row {
    int64_t running = 0;
    bool waits = false;
    // Up to where its seconds are filled; the fair clock then.
    EngineMicros as_of_us = 0;
    double fair_clock = 0;
    // When it last had something running, or began to wait.
    EngineMicros served_us = 0;
    std::array<Second, kSeconds> seconds{};
    RecentWaits waits_us;
  };
  struct Tenant {
    int32_t weight = 100;
    int64_t used_us = 0;
    int64_t taken_us = 0;
    int64_t http_us = 0;
    std::unique_ptr<Row> row;
  };

  Tenant& Grow(size_t tenant);
  // Its row, made if there is none, filled up to now.
  Row& Touch(size_t tenant, EngineMicros now_us);
  // Seconds that are over are closed, the clocks moved on.
  void Advance(EngineMicros now_us);
  void FlowTo(EngineMicros now_us);
  void CloseSecond();
  void Fill(Tenant& tenant);
  static Second Sum(const Row& row);
  static void Judge(FairnessFigures& figures, const std::vector<Second>& sums);

  std::vector<Tenant> tenants_;
  // Those that have a row.
  std::vector<size_t> active_;

  EngineMicros now_us_ = 0;
  // When the present second ends, and which it is.
  EngineMicros second_ends_us_ = 0;
  uint64_t second_ = 0;
  // Worker time that was fair per weight of one per cent, for who has waited all along.
  double fair_clock_ = 0;
  int64_t slots_ = 0;
  int64_t running_ = 0;
  int64_t waiting_running_ = 0;
  int64_t waiting_weight_ = 0;
  int64_t idle_slots_ = 0;
  int64_t idle_us_ = 0;
  int64_t idle_taken_us_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FAIRNESS_LEDGER_H_
