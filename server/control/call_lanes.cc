#include "server/control/call_lanes.h"

#include <algorithm>
#include <cmath>

#include "absl/cleanup/cleanup.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

// Of the tenants' room, for the operators besides: so they have a fifth of all.
constexpr size_t kOperatorsRoomPart = 4;
constexpr double kTenantsShare = 1 - kOperatorsShare;
// How fast the mean time of a call follows.
constexpr double kMeanWeight = 0.05;
constexpr int64_t kRetryMsMin = 50;
constexpr int64_t kRetryMsMax = 5'000;
constexpr double kNanosPerSecond = 1e9;

size_t UnitsOf(size_t bytes) {
  return std::max<size_t>(1, (bytes + kCallUnitBytes - 1) / kCallUnitBytes);
}

// Where nobody says who calls, everybody may do what operators may, and floods as tenants do.
bool IsOperators(const tenancy::Principal& who) {
  return who.is_operator() && &who != tenancy::LocalPrincipal().get();
}

}  // namespace

absl::Status CallLanes::NoRoom(const tenancy::Principal& who) const {
  // How full the daemon is as a whole is not told to tenants.
  const std::string subject = IsOperators(who)     ? "operators"
                              : who.tenant.empty() ? "all"
                                                   : tenancy::FormatTenantName(who.tenant);
  const double seconds = seconds_each_ * static_cast<double>(tenants_waiting_);
  const auto retry_ms = static_cast<int64_t>(std::ceil(seconds * 1000));
  return WithRetryAfter(
      WithQuotaFailure(
          Refusal(absl::StatusCode::kResourceExhausted, "CONTROL_BUSY",
                  StrCat("too many calls of ", subject, " wait for their turn; try again later")),
          subject, "calls that wait for their turn"),
      std::clamp(retry_ms, kRetryMsMin, kRetryMsMax));
}

absl::Status CallLanes::Enter(const tenancy::Principal& who, size_t bytes, Work work) {
  const size_t units = UnitsOf(bytes);
  absl::MutexLock lock(&mutex_);
  if (IsOperators(who)) {
    // One call always has room, however large.
    const size_t room = std::max<size_t>(1, options_.waiting_max / kOperatorsRoomPart);
    if (!operators_.calls.empty() && operators_.units + units > room) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return NoRoom(who);
    }
  } else {
    const size_t left = options_.waiting_max - std::min(options_.waiting_max, tenants_units_);
    const auto own = tenants_.find(who.tenant);
    const size_t held = own == tenants_.end() ? 0 : own->second->units;
    if (tenants_units_ > 0 && held + units > left) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return NoRoom(who);
    }
  }
  Put(who, units, std::move(work));
  return absl::OkStatus();
}

void CallLanes::Push(const tenancy::Principal& who, Work work) {
  absl::MutexLock lock(&mutex_);
  Put(who, 1, std::move(work));
}

void CallLanes::Put(const tenancy::Principal& who, size_t units, Work work) {
  Lane* lane = &operators_;
  if (!IsOperators(who)) {
    std::unique_ptr<Lane>& held = tenants_[who.tenant];
    if (held == nullptr) held = std::make_unique<Lane>();
    lane = held.get();
  }
  const bool is_new = lane->calls.empty() && lane != running_;
  lane->calls.push_back({std::move(work), units});
  lane->units += units;
  if (lane == &operators_) {
    if (is_new) lane->start = std::max(lane->start, both_now_);
  } else {
    if (tenants_waiting_ == 0) tenants_start_ = std::max(tenants_start_, both_now_);
    ++tenants_waiting_;
    tenants_units_ += units;
    if (is_new) {
      lane->start = std::max(lane->start, tenants_now_);
      by_start_.emplace(lane->start, lane);
    }
  }
  if (posted_) return;
  posted_ = true;
  PostRun();
}

void CallLanes::Take(Work& work) {
  const bool tenants_wait = !by_start_.empty();
  const bool operators_turn =
      !operators_.calls.empty() && (!tenants_wait || operators_.start <= tenants_start_);
  if (operators_turn) {
    running_ = &operators_;
    both_now_ = operators_.start;
  } else {
    running_ = by_start_.begin()->second;
    by_start_.erase(by_start_.begin());
    both_now_ = tenants_start_;
    tenants_now_ = running_->start;
    --tenants_waiting_;
    tenants_units_ -= running_->calls.front().units;
  }
  running_->units -= running_->calls.front().units;
  work = std::move(running_->calls.front().work);
  running_->calls.pop_front();
}

void CallLanes::Charge(double seconds) {
  Lane* const lane = std::exchange(running_, nullptr);
  seconds_each_ += kMeanWeight * (seconds - seconds_each_);
  if (lane == &operators_) {
    lane->start += seconds / kOperatorsShare;
    return;
  }
  lane->start += seconds;
  tenants_start_ += seconds / kTenantsShare;
  if (!lane->calls.empty()) by_start_.emplace(lane->start, lane);
  ForgetIdle();
}

void CallLanes::ForgetIdle() {
  if (tenants_.size() - by_start_.size() <= idle_max_) return;
  // Where nobody waits, none is before another. Else those that have caught up are as new ones.
  const bool all = by_start_.empty();
  absl::erase_if(tenants_, [&](const auto& each) {
    return each.second->calls.empty() && (all || each.second->start <= tenants_now_);
  });
  // Looking through them costs no call more than a few steps, however many are left.
  idle_max_ = std::max(kIdleLanesMin, 2 * (tenants_.size() - by_start_.size()));
}

void CallLanes::PostRun() {
  options_.post([weak = weak_from_this()] {
    if (const auto lanes = weak.lock()) lanes->Run();
  });
}

bool CallLanes::TakeNext(Turn& turn, Work& work) {
  const absl::MutexLock lock(&mutex_);
  if (running_ != nullptr) {
    const MonotonicNanos now = options_.clock->Now();
    Charge(static_cast<double>(now - turn.last) / kNanosPerSecond);
    turn.last = now;
  }
  if (operators_.calls.empty() && by_start_.empty()) {
    posted_ = false;
    return false;
  }
  if (turn.last >= turn.end) {
    PostRun();
    return false;
  }
  Take(work);
  return true;
}

void CallLanes::Run() {
  const MonotonicNanos now = options_.clock->Now();
  Turn turn{.last = now, .end = now + absl::ToInt64Nanoseconds(kCallsTurn)};
  // Where a call throws, which is the hub's to log, the others have the next turn.
  absl::Cleanup go_on = [&] {
    Work none;
    turn.end = turn.last;
    TakeNext(turn, none);
  };
  for (Work work; TakeNext(turn, work);) work();
  std::move(go_on).Cancel();
}

size_t CallLanes::waiting() const {
  absl::MutexLock lock(&mutex_);
  return operators_.calls.size() + tenants_waiting_;
}

}  // namespace grove::control
