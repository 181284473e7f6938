// The virtual time of a tenant is what it has had per weight; that of the whole is what those that
// wait get on average. Whoever begins to wait starts at the latter, or level with the one that is
// furthest behind and so next: no credit for absence, and no debt beyond a few seconds for slots
// that nobody else wanted. Six things make it a schedule of tasks on slots:
//
// * Charged is what is measured, while it is used: an attempt adds to its tenant's virtual time
// from
//   the moment it takes its slot. Nothing is estimated there, so nothing has to be corrected.
// * Choosing by it alone would let ten thousand tasks of ten seconds start before the first is
//   charged, and would swing for ever: whoever is behind gets every slot for as long as the other's
//   tasks last, and is ahead by far when they end. So the key that is compared counts what runs
//   with what it is expected to take, its function's running mean. It is dropped at the end, when
//   all has been charged.
// * With long tasks beside short ones even that takes tens of seconds to settle. So nobody holds
//   more than its share of the slots, and a sixteenth, while somebody waits who holds less: one who
//   comes late gets every slot that falls free until it has its share, whatever the others' tasks
//   take. Between the two bounds the key decides, which is how lags are made good.
// * The bounds are shares of the slots that those who wait have between them: what the others hold
//   is not theirs to share. A tenant whose share is less than a slot has a bound of one, so where
//   tenants are more than slots the virtual time decides alone.
// * All bounds give way when nobody within them waits: no slot is idle while anything may start.
// * Keys grow with time, and are looked at again only at the top of the heap: one that is too small
//   comes up too soon, is brought up to date and sinks.
//
// What a tenant may be ahead or behind when it begins to wait is bounded by what the daemon gives
// in kLagWindowUs; otherwise one with a small weight that had the daemon to itself for a minute
// would wait for hours.
#include "server/tasks/fair_shares.h"

#include <algorithm>

namespace grove::tasks {
namespace {

constexpr int64_t kLagWindowUs = 10 * kUsPerSecond;
// Of its share of the slots a tenant may hold so much more, while others hold less.
constexpr int64_t kOverShare = 16;
// A change of the bounds may bring all tenants within them: so many a turn come back.
constexpr int kPromotionsMax = 2;

}  // namespace

double FairShares::Tenant::Virtual(EngineMicros now_us) const {
  if (now_us <= as_of_us) return virtual_us;
  return virtual_us + static_cast<double>(now_us - as_of_us) * static_cast<double>(running) *
                          kWholeWeight / weight;
}

double FairShares::Tenant::Key(EngineMicros now_us) const {
  return Virtual(now_us) + static_cast<double>(expected_us) * kWholeWeight / weight;
}

const FairShares::Tenant& FairShares::Of(size_t tenant) const {
  static const Tenant unknown;
  return tenant < tenants_.size() ? tenants_[tenant] : unknown;
}

FairShares::Tenant& FairShares::Grow(size_t tenant) {
  if (tenants_.size() <= tenant) tenants_.resize(tenant + 1);
  return tenants_[tenant];
}

double FairShares::VirtualAt(EngineMicros now_us) const {
  if (now_us <= now_us_) return virtual_us_;
  const bool any_waits = waiting_weight_ > 0;
  const int64_t weight = any_waits ? waiting_weight_ : running_weight_;
  if (weight == 0) return virtual_us_;
  const int64_t slots = any_waits ? waiting_running_ : running_;
  return virtual_us_ +
         static_cast<double>(now_us - now_us_) * static_cast<double>(slots) * kWholeWeight / weight;
}

void FairShares::Flow(EngineMicros now_us) {
  if (now_us <= now_us_) return;
  virtual_us_ = VirtualAt(now_us);
  now_us_ = now_us;
}

void FairShares::Charge(Tenant& tenant) {
  tenant.virtual_us = tenant.Virtual(now_us_);
  tenant.as_of_us = now_us_;
  highest_us_ = std::max(highest_us_, tenant.virtual_us);
}

int64_t FairShares::Cap(size_t tenant) const {
  const int64_t shared = slots_ - (running_ - waiting_running_);
  if (shared <= 0 || waiting_weight_ == 0) return 1;
  const int64_t parts = waiting_weight_ * kOverShare;
  const int64_t most = shared * Of(tenant).weight * (kOverShare + 1);
  return std::max<int64_t>(1, (most + parts - 1) / parts);
}

void FairShares::Place(size_t tenant) {
  const Tenant& of = tenants_[tenant];
  if (of.running < Cap(tenant)) {
    beyond_.Remove(tenant);
    within_.Set(tenant, of.Key(now_us_));
  } else {
    within_.Remove(tenant);
    beyond_.Set(tenant, static_cast<double>(of.running) / of.weight);
  }
}

void FairShares::SetWeight(size_t tenant, int32_t percent, EngineMicros now_us) {
  Flow(now_us);
  Tenant& of = Grow(tenant);
  Charge(of);
  const int64_t more = std::max(percent, 1) - of.weight;
  of.weight += static_cast<int32_t>(more);
  if (of.running > 0) running_weight_ += more;
  if (!Waits(tenant)) return;
  waiting_weight_ += more;
  Place(tenant);
}

void FairShares::Forget(size_t tenant) {
  if (tenant < tenants_.size()) tenants_[tenant] = Tenant();
}

void FairShares::SetSlots(int64_t slots, EngineMicros now_us) {
  Flow(now_us);
  slots_ = slots;
}

double FairShares::LagMax() const {
  return static_cast<double>(kLagWindowUs) * static_cast<double>(slots_) * kWholeWeight /
         waiting_weight_;
}

void FairShares::Wait(size_t tenant, EngineMicros now_us) {
  if (Waits(tenant)) return;
  Flow(now_us);
  Tenant& of = Grow(tenant);
  Charge(of);
  waiting_weight_ += of.weight;
  waiting_running_ += of.running;
  // Level with who is furthest behind, of those that may be next.
  const double level = within_.empty() ? virtual_us_ : std::min(virtual_us_, within_.TopKey());
  const double credit = of.stepped_aside ? LagMax() : 0;
  of.virtual_us = std::clamp(of.virtual_us, level - credit, virtual_us_ + LagMax());
  of.stepped_aside = false;
  Place(tenant);
}

void FairShares::StopWaiting(size_t tenant) {
  if (!Waits(tenant)) return;
  waiting_weight_ -= tenants_[tenant].weight;
  waiting_running_ -= tenants_[tenant].running;
  within_.Remove(tenant);
  beyond_.Remove(tenant);
}

void FairShares::Leave(size_t tenant, EngineMicros now_us) {
  Flow(now_us);
  StopWaiting(tenant);
  Grow(tenant).stepped_aside = false;
}

void FairShares::StepAside(size_t tenant, EngineMicros now_us) {
  Flow(now_us);
  StopWaiting(tenant);
  Grow(tenant).stepped_aside = true;
}

size_t FairShares::Next(EngineMicros now_us) {
  Flow(now_us);
  for (int i = 0; i < kPromotionsMax && !beyond_.empty(); ++i) {
    const size_t least = beyond_.Top();
    if (tenants_[least].running >= Cap(least)) break;
    Place(least);
  }
  while (!within_.empty()) {
    const size_t first = within_.Top();
    const Tenant& of = tenants_[first];
    const bool is_current = of.running < Cap(first) && of.Key(now_us_) <= within_.TopKey();
    if (is_current) {
      virtual_us_ = std::max(virtual_us_, of.Virtual(now_us_));
      return first;
    }
    Place(first);
  }
  return beyond_.Top();
}

void FairShares::Start(size_t tenant, int64_t expected_us, EngineMicros now_us) {
  Flow(now_us);
  Tenant& of = Grow(tenant);
  Charge(of);
  of.expected_us += expected_us;
  if (++of.running == 1) running_weight_ += of.weight;
  ++running_;
  if (!Waits(tenant)) return;
  ++waiting_running_;
  Place(tenant);
}

void FairShares::End(size_t tenant, int64_t expected_us, EngineMicros now_us) {
  Flow(now_us);
  Tenant& of = Grow(tenant);
  Charge(of);
  of.expected_us -= expected_us;
  if (--of.running == 0) running_weight_ -= of.weight;
  --running_;
  if (Waits(tenant)) {
    --waiting_running_;
    Place(tenant);
  } else if (running_ == 0 && !any_waits()) {
    virtual_us_ = highest_us_;  // Nothing is owed to or by anybody.
  }
}

int64_t FairShares::OverShareUs(size_t tenant, EngineMicros now_us) const {
  const Tenant& of = Of(tenant);
  const double ahead = of.Key(std::max(now_us, now_us_)) - VirtualAt(now_us);
  return static_cast<int64_t>(ahead * of.weight / kWholeWeight);
}

}  // namespace grove::tasks
