// SlotSimulation: tenants' tasks on slots, started as FairShares says, with invented time.
//
// What the task engine does with it, and nothing else: queues of functions whose attempts take
// known times, an oracle of what each tenant got, and of what would have been fair.
#ifndef GROVE_SERVER_TASKS_SLOTS_FIXTURE_H_
#define GROVE_SERVER_TASKS_SLOTS_FIXTURE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "server/tasks/run_mean.h"
#include "server/tasks/slot_shares.h"

namespace grove::tasks {

class SlotSimulation {
 public:
  explicit SlotSimulation(int64_t slots) : slots_(slots) { shares_.SetSlots(slots, 0); }

  struct Tenant {
    int32_t weight = kWholeWeight;
    // Of the next task; asked for it when it starts. Of function `function`.
    std::function<int64_t()> run_us;
    size_t function = 0;
    // Arrivals of tasks that wait, oldest first. A flood has as many as it wants.
    bool floods = false;
    std::deque<EngineMicros> waiting;
    // What came of it.
    int64_t running = 0;
    int64_t worker_us = 0;
    std::vector<int64_t> waits_us;
    std::vector<int64_t> times_us;  // from arrival to end
  };

  size_t Add(int32_t weight, std::function<int64_t()> run_us, size_t function) {
    tenants_.push_back({.weight = weight, .run_us = std::move(run_us), .function = function});
    shares_.SetWeight(tenants_.size() - 1, weight, now_us_);
    if (functions_.size() <= function) functions_.resize(function + 1);
    return tenants_.size() - 1;
  }
  // From now on it always has more.
  void Flood(size_t tenant) {
    tenants_[tenant].floods = true;
    shares_.Wait(tenant, now_us_);
  }
  void Stop(size_t tenant) {
    tenants_[tenant].floods = false;
    if (tenants_[tenant].waiting.empty()) shares_.Leave(tenant, now_us_);
  }
  // A task comes at that time.
  void At(EngineMicros at_us, size_t tenant) { events_.push({at_us, ++events_made_, tenant, -1}); }

  // Until then; what runs on stays.
  void RunUntil(EngineMicros end_us) {
    Dispatch();
    while (!events_.empty() && events_.top().at_us <= end_us) {
      const Event event = events_.top();
      events_.pop();
      PassTo(event.at_us);
      event.started_us < 0 ? Arrive(event.tenant) : End(event);
      Dispatch();
    }
    PassTo(end_us);
  }

  EngineMicros now_us() const { return now_us_; }
  FairnessLedger& ledger() { return shares_.ledger(); }
  Tenant& of(size_t tenant) { return tenants_[tenant]; }
  size_t size() const { return tenants_.size(); }
  int64_t free_slots() const { return slots_ - busy_; }
  // Slots' time that was idle while somebody waited.
  int64_t idle_us() const { return idle_us_; }
  int64_t starts() const { return starts_; }
  // Worker time up to now, of what runs too.
  int64_t WorkerUs(size_t tenant) {
    Settle(tenant);
    return tenants_[tenant].worker_us;
  }

  // Jain's index of `got`: 1 if all are equal, 1/n if one has all.
  static double Jain(const std::vector<double>& got) {
    double sum = 0, squares = 0;
    for (double x : got) sum += x, squares += x * x;
    return squares == 0 ? 1 : sum * sum / (static_cast<double>(got.size()) * squares);
  }
  static int64_t Percentile(std::vector<int64_t> of, double part) {
    if (of.empty()) return 0;
    std::sort(of.begin(), of.end());
    return of[std::min(of.size() - 1, static_cast<size_t>(part * static_cast<double>(of.size())))];
  }

 private:
  struct Event {
    EngineMicros at_us;
    uint64_t number;
    size_t tenant;
    EngineMicros started_us;  // -1: an arrival
    EngineMicros arrived_us = 0;
    int64_t expected_us = 0;
    bool operator>(const Event& other) const {
      return at_us != other.at_us ? at_us > other.at_us : number > other.number;
    }
  };

  void PassTo(EngineMicros at_us) {
    if (free_slots() > 0 && AnyWaits()) idle_us_ += free_slots() * (at_us - now_us_);
    now_us_ = at_us;
  }
  bool AnyWaits() const { return waiting_ > 0 || shares_.any_waits(); }
  void Settle(size_t tenant) {
    Tenant& of = tenants_[tenant];
    if (settled_.size() < tenants_.size()) settled_.resize(tenants_.size());
    of.worker_us += of.running * (now_us_ - settled_[tenant]);
    settled_[tenant] = now_us_;
  }
  void Arrive(size_t tenant) {
    tenants_[tenant].waiting.push_back(now_us_);
    ++waiting_;
    shares_.Wait(tenant, now_us_);
  }
  void Dispatch() {
    while (free_slots() > 0 && shares_.any_waits()) Start(shares_.Next(now_us_));
  }
  void Start(size_t tenant) {
    Tenant& of = tenants_[tenant];
    EngineMicros arrived_us = now_us_;
    if (!of.waiting.empty()) {
      arrived_us = of.waiting.front();
      of.waiting.pop_front();
      --waiting_;
      of.waits_us.push_back(now_us_ - arrived_us);
    }
    const int64_t expected_us = functions_[of.function].us();
    Settle(tenant);
    shares_.Start(tenant, expected_us, now_us_ - arrived_us, now_us_);
    if (of.waiting.empty() && !of.floods) shares_.Leave(tenant, now_us_);
    ++of.running;
    ++busy_;
    ++starts_;
    events_.push({now_us_ + of.run_us(), ++events_made_, tenant, now_us_, arrived_us, expected_us});
  }
  void End(const Event& event) {
    Settle(event.tenant);
    Tenant& of = tenants_[event.tenant];
    --of.running;
    --busy_;
    if (!of.floods) of.times_us.push_back(now_us_ - event.arrived_us);
    functions_[of.function].Add(now_us_ - event.started_us);
    shares_.End(event.tenant, event.expected_us, now_us_);
  }

  const int64_t slots_;
  SlotShares shares_;
  std::vector<Tenant> tenants_;
  std::vector<EngineMicros> settled_;
  std::vector<RunMean> functions_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  uint64_t events_made_ = 0;
  EngineMicros now_us_ = 0;
  int64_t busy_ = 0;
  int64_t waiting_ = 0;
  int64_t idle_us_ = 0;
  int64_t starts_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SLOTS_FIXTURE_H_
