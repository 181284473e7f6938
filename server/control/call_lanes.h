// CallLanes: in which order calls come to the hub, and which are refused.
//
// gRPC's threads take calls faster than the one hub handles them. Here they wait: the operators' in
// a lane of their own, to which a fifth of the hub's time for calls belongs, and those of each
// tenant in one of its own; tenants share the rest evenly. Where nobody has to say who calls, all
// are in one lane, as a tenant's. Time is measured, not counted in calls,
// so that a batch of ten thousand tasks is as long as it takes. A lane that nobody waits in leaves
// its time to the others. So a flood delays whoever sends it, and the operators' calls and other
// tenants' hardly (start-time fair queueing: P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996).
//
// A tenant may have as many calls waiting as there is room left for others (dynamic thresholds: A.
// Choudhury, E. Hahne, IEEE/ACM ToN 6(2), 1998): one flood fills half of the room, two a third
// each, and who comes new finds some. The operators have a quarter of that room besides.
#ifndef GROVE_SERVER_CONTROL_CALL_LANES_H_
#define GROVE_SERVER_CONTROL_CALL_LANES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "server/tenancy/principal.h"

namespace grove::control {

// A call counts once for each of these that its request has, begun ones included.
inline constexpr size_t kCallUnitBytes = 16 << 10;
// Calls are handled this long before the hub looks after all else: links, timers, the store.
inline constexpr absl::Duration kCallsTurn = absl::Milliseconds(2);
// Of the hub's time for calls, where others wait too.
inline constexpr double kOperatorsShare = 0.2;
// Lanes that nobody waits in are looked through from here on.
inline constexpr size_t kIdleLanesMin = 1'000;

// Owned by a shared_ptr: what was posted may run when the server is gone.
class CallLanes : public std::enable_shared_from_this<CallLanes> {
 public:
  using Work = absl::AnyInvocable<void()>;
  struct Options {
    // Room for waiting calls of tenants, in calls.
    size_t waiting_max = 10'000;
    // Runs a call on the hub's thread, soon.
    std::function<void(absl::AnyInvocable<void()>)> post;
    // Read on the hub's thread alone; outlives the lanes.
    Clock* clock = nullptr;
  };

  explicit CallLanes(Options options) : options_(std::move(options)) {}
  // What waits is dropped.
  ~CallLanes() = default;
  CallLanes(const CallLanes&) = delete;
  CallLanes& operator=(const CallLanes&) = delete;

  // `work` runs on the hub's thread once it is its turn. `bytes`: of the request. Any thread.
  // RESOURCE_EXHAUSTED (CONTROL_BUSY, RetryInfo): no room; `work` is dropped.
  absl::Status Enter(const tenancy::Principal& who, size_t bytes, Work work);
  // The same for what is bounded otherwise, and must be done.
  void Push(const tenancy::Principal& who, Work work);

  // Of all lanes. Any thread.
  size_t waiting() const;
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  struct Waiting {
    Work work;
    size_t units;
  };
  // Of one tenant, or the operators.
  struct Lane {
    std::deque<Waiting> calls;
    size_t units = 0;
    double start = 0;  // virtual time, in seconds: when its next call would begin
  };

  void Put(const tenancy::Principal& who, size_t units, Work work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NoRoom(const tenancy::Principal& who) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the call whose turn it is, and leaves its lane in running_. Requires: somebody waits.
  void Take(Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the call took.
  void Charge(double seconds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  struct Turn {
    MonotonicNanos last;  // when the call that runs began
    MonotonicNanos end;
  };
  // Charges for the call that ran, and takes the next one. False: there is none, or the turn is
  // over, and the next one has been posted.
  bool TakeNext(Turn& turn, Work& work);
  // Those of one turn. The hub's thread.
  void Run();
  void PostRun();

  const Options options_;
  std::atomic<uint64_t> refused_{0};
  mutable absl::Mutex mutex_;
  Lane operators_ ABSL_GUARDED_BY(mutex_);
  // Those that wait, and those that ran so lately that they begin later than new ones would.
  absl::flat_hash_map<std::string, std::unique_ptr<Lane>> tenants_ ABSL_GUARDED_BY(mutex_);
  // Of those that wait.
  absl::btree_set<std::pair<double, Lane*>> by_start_ ABSL_GUARDED_BY(mutex_);
  size_t tenants_waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t tenants_units_ ABSL_GUARDED_BY(mutex_) = 0;
  // As a lane's start: of all tenants together, beside the operators.
  double tenants_start_ ABSL_GUARDED_BY(mutex_) = 0;
  // The start of what runs: where one begins that comes new.
  double both_now_ ABSL_GUARDED_BY(mutex_) = 0;
  double tenants_now_ ABSL_GUARDED_BY(mutex_) = 0;
  Lane* running_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool posted_ ABSL_GUARDED_BY(mutex_) = false;
  size_t idle_max_ ABSL_GUARDED_BY(mutex_) = kIdleLanesMin;
  // Of a call, lately.
  double seconds_each_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CALL_LANES_H_
