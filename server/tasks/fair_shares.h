// FairShares: whose turn it is, so that tenants get worker time in proportion to their weights.
//
// Worker time is what attempts hold slots for. Each tenant has a virtual time, the worker time it
// has had per weight, and whoever waits and is furthest behind is next: a deficit round robin whose
// quantum went to nothing. fair_shares.cc says what is added to that, and why.
// Pure and deterministic: told the time, it reads no clock. Tenants are numbers from 0 on, and
// exist from their first mention; one that neither waits nor runs costs a record. Times are the
// engine's, and an earlier one counts as the latest seen.
#ifndef GROVE_SERVER_TASKS_FAIR_SHARES_H_
#define GROVE_SERVER_TASKS_FAIR_SHARES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/tasks/engine_time.h"
#include "server/tasks/tenant_heap.h"

namespace grove::tasks {

// Weights are in per cent of this one, which a tenant has until told otherwise.
inline constexpr int32_t kWholeWeight = 100;

class FairShares {
 public:
  // From now on; what it has had stays what it was worth. At least 1 per cent.
  void SetWeight(size_t tenant, int32_t percent, EngineMicros now_us);
  // How many attempts may run at once, over all workers.
  // As SlotShares::Forget.
  void Forget(size_t tenant);
  void SetSlots(int64_t slots, EngineMicros now_us);

  // It has something that could start. Nothing happens if it waits already.
  void Wait(size_t tenant, EngineMicros now_us);
  // It has nothing left that could start, or is held back by a bound of its own: it takes nothing
  // with it that it has not had.
  void Leave(size_t tenant, EngineMicros now_us);
  // What it has cannot start on the workers that have room. What it is owed stays, within bounds.
  void StepAside(size_t tenant, EngineMicros now_us);

  bool any_waits() const { return !within_.empty() || !beyond_.empty(); }
  bool Waits(size_t tenant) const { return within_.Contains(tenant) || beyond_.Contains(tenant); }
  // Requires that any waits. The same one until something is told.
  size_t Next(EngineMicros now_us);

  // An attempt takes a slot. `expected_us`: what it will probably take.
  void Start(size_t tenant, int64_t expected_us, EngineMicros now_us);
  // It gives the slot back. `expected_us`: as at its start.
  void End(size_t tenant, int64_t expected_us, EngineMicros now_us);

  int64_t running(size_t tenant) const { return Of(tenant).running; }
  // Most slots that it may hold while others wait that hold less than theirs. At least 1 for a
  // tenant that waits.
  int64_t Cap(size_t tenant) const;
  // Worker time by which it is ahead of the present virtual time, what its attempts are expected to
  // take included; negative if it is behind.
  int64_t OverShareUs(size_t tenant, EngineMicros now_us) const;

 private:
  struct Tenant {
    int32_t weight = kWholeWeight;
    bool stepped_aside = false;
    int64_t running = 0;
    // Worker time per weight (of 100 per cent) that it has had, up to `as_of_us`.
    double virtual_us = 0;
    EngineMicros as_of_us = 0;
    // Of what runs, what it is expected to take.
    int64_t expected_us = 0;

    double Virtual(EngineMicros now_us) const;
    double Key(EngineMicros now_us) const;
  };

  const Tenant& Of(size_t tenant) const;
  Tenant& Grow(size_t tenant);
  double VirtualAt(EngineMicros now_us) const;
  void Flow(EngineMicros now_us);
  void Charge(Tenant& tenant);
  // Its key has changed.
  void Place(size_t tenant);
  void StopWaiting(size_t tenant);
  // What a tenant may be ahead or behind when it begins to wait.
  double LagMax() const;

  std::vector<Tenant> tenants_;
  // Those that wait. Within their caps, by Key(), as it was when last looked at: it only grows with
  // time. At their caps or beyond, by slots per weight.
  TenantHeap within_;
  TenantHeap beyond_;

  EngineMicros now_us_ = 0;
  double virtual_us_ = 0;
  // The highest that a tenant has been charged up to.
  double highest_us_ = 0;
  int64_t slots_ = 0;
  int64_t running_ = 0;
  // Of the tenants with running attempts; of those that wait.
  int64_t running_weight_ = 0;
  int64_t waiting_weight_ = 0;
  int64_t waiting_running_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FAIR_SHARES_H_
