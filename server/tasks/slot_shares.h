// SlotShares: FairShares and the FairnessLedger, told the same.
//
// The one decides who is next, the other judges what came of it.
#ifndef GROVE_SERVER_TASKS_SLOT_SHARES_H_
#define GROVE_SERVER_TASKS_SLOT_SHARES_H_

#include <cstddef>
#include <cstdint>

#include "server/tasks/engine_time.h"
#include "server/tasks/fair_shares.h"
#include "server/tasks/fairness_ledger.h"

namespace grove::tasks {

class SlotShares {
 public:
  void SetWeight(size_t tenant, int32_t percent, EngineMicros now_us) {
    shares_.SetWeight(tenant, percent, now_us);
    ledger_.SetWeight(tenant, percent, now_us);
  }
  // Of a tenant that neither waits nor runs: whoever has its index next begins anew.
  void Forget(size_t tenant) {
    shares_.Forget(tenant);
    ledger_.Forget(tenant);
  }
  void SetSlots(int64_t slots, EngineMicros now_us) {
    if (slots == slots_) return;
    slots_ = slots;
    shares_.SetSlots(slots, now_us);
    ledger_.SetSlots(slots, now_us);
  }
  void Wait(size_t tenant, EngineMicros now_us) {
    shares_.Wait(tenant, now_us);
    ledger_.Wait(tenant, now_us);
  }
  void Leave(size_t tenant, EngineMicros now_us) {
    shares_.Leave(tenant, now_us);
    ledger_.Leave(tenant, now_us);
  }
  void StepAside(size_t tenant, EngineMicros now_us) {
    shares_.StepAside(tenant, now_us);
    ledger_.Leave(tenant, now_us);
  }
  void Start(size_t tenant, int64_t expected_us, int64_t waited_us, EngineMicros now_us) {
    shares_.Start(tenant, expected_us, now_us);
    ledger_.Start(tenant, waited_us, now_us);
  }
  void End(size_t tenant, int64_t expected_us, EngineMicros now_us) {
    shares_.End(tenant, expected_us, now_us);
    ledger_.End(tenant, now_us);
  }

  bool any_waits() const { return shares_.any_waits(); }
  // Requires that any waits.
  size_t Next(EngineMicros now_us) { return shares_.Next(now_us); }

  const FairShares& shares() const { return shares_; }
  FairnessLedger& ledger() { return ledger_; }

 private:
  int64_t slots_ = 0;
  FairShares shares_;
  FairnessLedger ledger_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SLOT_SHARES_H_
