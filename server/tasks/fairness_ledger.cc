#include "server/tasks/fairness_ledger.h"

#include <algorithm>
#include <utility>

namespace grove::tasks {
namespace {

// Waits are remembered for one to two of these.
constexpr uint64_t kSecondsPerGeneration = 5;
// Who waited less than this part of the window says nothing of how time was shared.
constexpr int64_t kWaitedPart = 10;
// Who has had less than this part of what its weight alone would give it waits for others, not for
// itself.
constexpr double kVictimPart = 15.0 / 16;

}  // namespace

FairnessLedger::Tenant& FairnessLedger::Grow(size_t tenant) {
  if (tenants_.size() <= tenant) tenants_.resize(tenant + 1);
  return tenants_[tenant];
}

// Those who wait share what the others leave, and it is theirs whether or not they get it.
void FairnessLedger::FlowTo(EngineMicros now_us) {
  const int64_t passed_us = now_us - now_us_;
  if (passed_us <= 0) return;
  now_us_ = now_us;
  idle_us_ += idle_slots_ * passed_us;
  if (waiting_weight_ == 0) return;
  const int64_t shared = std::max<int64_t>(0, slots_ - (running_ - waiting_running_));
  fair_clock_ += static_cast<double>(passed_us) * static_cast<double>(shared) /
                 static_cast<double>(waiting_weight_);
}

void FairnessLedger::Advance(EngineMicros now_us) {
  if (second_ends_us_ == 0) second_ends_us_ = now_us + kUsPerSecond;
  while (now_us >= second_ends_us_) {
    FlowTo(second_ends_us_);
    if (active_.empty())
      second_ends_us_ += (now_us - second_ends_us_) / kUsPerSecond * kUsPerSecond;
    CloseSecond();
  }
  FlowTo(now_us);
}

void FairnessLedger::CloseSecond() {
  const size_t begun = (second_ + 1) % kSeconds;
  const bool generation_ends = (second_ + 1) % kSecondsPerGeneration == 0;
  for (size_t i = 0; i < active_.size();) {
    Tenant& tenant = tenants_[active_[i]];
    Fill(tenant);
    Row& row = *tenant.row;
    row.seconds[begun] = Second();
    if (generation_ends) row.waits_us.Turn();
    const Second sum = Sum(row);
    if (row.waits || row.running > 0 || sum.used_us > 0 || sum.waited_us > 0 || sum.http_us > 0) {
      ++i;
    } else {
      tenant.row.reset();
      active_[i] = active_.back();
      active_.pop_back();
    }
  }
  ++second_;
  second_ends_us_ += kUsPerSecond;
}

void FairnessLedger::Fill(Tenant& tenant) {
  Row& row = *tenant.row;
  Second& second = row.seconds[second_ % kSeconds];
  const int64_t passed_us = now_us_ - row.as_of_us;
  const int64_t used_us = row.running * passed_us;
  tenant.used_us += used_us;
  second.used_us += used_us;
  if (row.waits) {
    second.waited_us += passed_us;
    second.fair_us += static_cast<int64_t>((fair_clock_ - row.fair_clock) * tenant.weight);
    if (row.running == 0) second.gap_us = std::max(second.gap_us, now_us_ - row.served_us);
  } else {
    second.fair_us += used_us;
  }
  row.as_of_us = now_us_;
  row.fair_clock = fair_clock_;
}

FairnessLedger::Row& FairnessLedger::Touch(size_t tenant, EngineMicros now_us) {
  Advance(now_us);
  Tenant& of = Grow(tenant);
  if (of.row == nullptr) {
    of.row = std::make_unique<Row>();
    of.row->as_of_us = now_us_;
    active_.push_back(tenant);
  }
  Fill(of);
  return *of.row;
}

void FairnessLedger::SetWeight(size_t tenant, int32_t percent, EngineMicros now_us) {
  Advance(now_us);
  Tenant& of = Grow(tenant);
  if (of.row != nullptr) Fill(of);
  const int32_t weight = std::max(percent, 1);
  if (of.row != nullptr && of.row->waits) waiting_weight_ += weight - of.weight;
  of.weight = weight;
}

void FairnessLedger::Forget(size_t tenant) {
  if (tenant >= tenants_.size()) return;
  std::erase(active_, tenant);
  tenants_[tenant] = Tenant();
}

void FairnessLedger::SetSlots(int64_t slots, EngineMicros now_us) {
  Advance(now_us);
  slots_ = slots;
}

void FairnessLedger::SetIdle(int64_t slots, EngineMicros now_us) {
  Advance(now_us);
  idle_slots_ = slots;
}

void FairnessLedger::CountHttp(size_t tenant, int64_t us, EngineMicros now_us) {
  Touch(tenant, now_us).seconds[second_ % kSeconds].http_us += us;
  tenants_[tenant].http_us += us;
}

void FairnessLedger::Wait(size_t tenant, EngineMicros now_us) {
  Row& row = Touch(tenant, now_us);
  if (std::exchange(row.waits, true)) return;
  waiting_weight_ += tenants_[tenant].weight;
  waiting_running_ += row.running;
  if (row.running == 0) row.served_us = now_us_;
}

void FairnessLedger::Leave(size_t tenant, EngineMicros now_us) {
  Row& row = Touch(tenant, now_us);
  if (!std::exchange(row.waits, false)) return;
  waiting_weight_ -= tenants_[tenant].weight;
  waiting_running_ -= row.running;
}

void FairnessLedger::Start(size_t tenant, int64_t waited_us, EngineMicros now_us) {
  Row& row = Touch(tenant, now_us);
  row.waits_us.Add(waited_us);
  ++row.running;
  ++running_;
  if (row.waits) ++waiting_running_;
}

void FairnessLedger::End(size_t tenant, EngineMicros now_us) {
  Row& row = Touch(tenant, now_us);
  --row.running;
  --running_;
  if (row.waits) --waiting_running_;
  row.served_us = now_us_;
}

void FairnessLedger::TakeWorkerTime(EngineMicros now_us,
                                    absl::FunctionRef<void(size_t tenant, int64_t us)> each) {
  Advance(now_us);
  for (const size_t index : active_) {
    Tenant& tenant = tenants_[index];
    Fill(tenant);
    const int64_t us = tenant.used_us - tenant.taken_us;
    tenant.taken_us = tenant.used_us;
    if (us > 0) each(index, us);
  }
}

int64_t FairnessLedger::TakeIdle(EngineMicros now_us) {
  Advance(now_us);
  return idle_us_ - std::exchange(idle_taken_us_, idle_us_);
}

int64_t FairnessLedger::WorkerUsTotal(size_t tenant, EngineMicros now_us) {
  Advance(now_us);
  Tenant& of = Grow(tenant);
  if (of.row != nullptr) Fill(of);
  return of.used_us;
}

int64_t FairnessLedger::HttpUsTotal(size_t tenant) {
  return Grow(tenant).http_us;
}

FairnessLedger::Second FairnessLedger::Sum(const Row& row) {
  Second sum;
  for (const Second& second : row.seconds) {
    sum.used_us += second.used_us;
    sum.fair_us += second.fair_us;
    sum.waited_us += second.waited_us;
    sum.http_us += second.http_us;
    sum.gap_us = std::max(sum.gap_us, second.gap_us);
  }
  return sum;
}

void FairnessLedger::Judge(FairnessFigures& figures, const std::vector<Second>& sums) {
  double fair_us = 0, weights = 0, parts = 0, squares = 0;
  int64_t judged = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    figures.worker_us += sums[i].used_us;
    fair_us += static_cast<double>(sums[i].fair_us);
    // Who had nothing but HTTP requests served took no part.
    if (sums[i].used_us + sums[i].waited_us > 0) weights += figures.active[i].weight;
    figures.longest_gap_us = std::max(figures.longest_gap_us, sums[i].gap_us);
    if (sums[i].waited_us * kWaitedPart < kFairnessWindowUs || sums[i].fair_us == 0) continue;
    const double part = static_cast<double>(sums[i].used_us) / static_cast<double>(sums[i].fair_us);
    parts += part;
    squares += part * part;
    ++judged;
  }
  if (squares > 0) figures.jain = parts * parts / (static_cast<double>(judged) * squares);
  const double worker_us = std::max<double>(1, static_cast<double>(figures.worker_us));
  for (size_t i = 0; i < sums.size(); ++i) {
    TenantFigures& tenant = figures.active[i];
    tenant.share = static_cast<double>(sums[i].used_us) / worker_us;
    tenant.fair_share = static_cast<double>(sums[i].fair_us) / std::max<double>(1, fair_us);
    const double by_weight = tenant.weight / std::max<double>(1, weights);
    if (tenant.share > by_weight * kVictimPart) continue;
    figures.victim_start_p99_us = std::max(figures.victim_start_p99_us, tenant.start_p99_us);
  }
}

FairnessFigures FairnessLedger::Figures(EngineMicros now_us) {
  Advance(now_us);
  FairnessFigures figures;
  figures.idle_while_backlogged_us = idle_us_;
  std::sort(active_.begin(), active_.end());
  std::vector<Second> sums;
  for (const size_t index : active_) {
    Tenant& tenant = tenants_[index];
    Fill(tenant);
    sums.push_back(Sum(*tenant.row));
    figures.active.push_back({.tenant = index,
                              .weight = tenant.weight,
                              .running = tenant.row->running,
                              .worker_us_total = tenant.used_us,
                              .worker_us = sums.back().used_us,
                              .start_p99_us = tenant.row->waits_us.Percentile(0.99),
                              .longest_gap_us = sums.back().gap_us,
                              .http_us_total = tenant.http_us,
                              .http_us = sums.back().http_us});
  }
  Judge(figures, sums);
  return figures;
}

}  // namespace grove::tasks
