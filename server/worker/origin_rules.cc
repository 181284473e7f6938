#include "server/worker/origin_rules.h"

#include <algorithm>

#include "server/tenancy/quotas.h"

namespace grove::worker {
namespace {

using functions::OriginAnswer;
using functions::OriginBound;
using functions::OriginGate;
using metrics::OriginCell;

// Of an origin that nobody knows yet, and at least: who comes back costs a write of a durable task.
constexpr int64_t kMeanMinNs = 100'000'000;
constexpr int64_t kMeanMaxNs = 30'000'000'000;
// Of the mean's steps towards what was seen last.
constexpr int64_t kMeanShare = 8;

int64_t Mean(const OriginCell& cell) {
  return std::clamp<int64_t>(cell.mean_ns, kMeanMinNs, kMeanMaxNs);
}

// `ready_ns`: when it may be worth a try; `interval_ns`: how far one is behind the other.
OriginGate::Entry PutOff(OriginCell& cell, OriginBound bound, int64_t ready_ns, int64_t interval_ns,
                         int64_t now_ns) {
  const int64_t spread_ns = absl::ToInt64Nanoseconds(kOriginSpreadMax);
  int64_t last_ns = cell.turn_at_ns;
  int64_t turn_ns = 0;
  do {
    turn_ns = std::max(ready_ns, last_ns + interval_ns);
    if (turn_ns > ready_ns + spread_ns) turn_ns = ready_ns;
  } while (!cell.turn_at_ns.compare_exchange_weak(last_ns, turn_ns));
  OriginGate::Entry entry;
  entry.wait = absl::Nanoseconds(turn_ns - now_ns);
  entry.bound = bound;
  return entry;
}

// How long until the rate lets one out; 0: it was let out.
int64_t TakeRate(OriginCell& cell, const tenancy::Rate& rate, int64_t now_ns) {
  if (!rate.is_bound()) return 0;
  int64_t full_at_ns = cell.full_at_ns;
  for (;;) {
    tenancy::Gcra bucket(full_at_ns);
    if (const int64_t wait_ns = bucket.WaitNs(rate, now_ns); wait_ns > 0) return wait_ns;
    bucket.Take(rate, now_ns);
    if (cell.full_at_ns.compare_exchange_weak(full_at_ns, bucket.full_at_ns())) return 0;
  }
}

// Of the breaker, which is not closed, once its time has come: one at a time. 0: there is one.
int64_t TakeTrial(OriginCell& cell, int64_t now_ns) {
  int64_t until_ns = cell.trial_until_ns;
  const int64_t own_ns = now_ns + absl::ToInt64Nanoseconds(kOriginTrialMax);
  if (until_ns > now_ns) return 0;
  return cell.trial_until_ns.compare_exchange_strong(until_ns, own_ns) ? own_ns : 0;
}

void EndTrial(OriginCell& cell, const OriginGate::Pass& pass) {
  int64_t own_ns = pass.trial_until_ns;
  cell.trial_until_ns.compare_exchange_strong(own_ns, 0);
}

void NoteTime(OriginCell& cell, int64_t ns) {
  const int64_t mean = cell.mean_ns;
  cell.mean_ns = mean == 0 ? ns : mean + (ns - mean) / kMeanShare;
}

template <typename T>
OriginBounds BoundsOf(const T& said, const OriginBounds& rest) {
  OriginBounds bounds = rest;
  if (said.concurrency_max() > 0) bounds.concurrency_max = said.concurrency_max();
  if (said.requests_per_second() > 0 || said.requests_per_minute() > 0) {
    bounds.rate =
        tenancy::RateOf(said.requests_per_second(), said.requests_per_minute(), said.burst());
  }
  if (said.breaker_failures() > 0) bounds.breaker_failures = said.breaker_failures();
  if (said.breaker_open_ms() > 0) bounds.breaker_open_ns = said.breaker_open_ms() * 1'000'000;
  return bounds;
}

}  // namespace

OriginBook::OriginBook(const config::v1::Fetch& config)
    : rest_(BoundsOf(config.per_origin(), OriginBounds{})) {
  for (const config::v1::Origin& origin : config.origins()) {
    const auto pattern = config::OriginPattern::Parse(origin.pattern());
    // A resolved config has none that is malformed.
    if (pattern.ok()) entries_.push_back({*pattern, BoundsOf(origin, rest_)});
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.pattern.rank() > b.pattern.rank();
  });
}

const OriginBounds& OriginBook::Of(const http::Url& url) const {
  for (const Entry& entry : entries_) {
    if (entry.pattern.Matches(url.https, url.host, url.port)) return entry.bounds;
  }
  return rest_;
}

OriginGate::Entry EnterOrigin(OriginCell& cell, const OriginBounds& bounds,
                              const OriginAsker& asker, int64_t now_ns) {
  const int64_t mean_ns = Mean(cell);
  const int64_t interval_ns = mean_ns / bounds.concurrency_max;
  if (const int64_t at_ns = cell.not_before_ns; at_ns > now_ns) {
    return PutOff(cell, OriginBound::kRetryAfter, at_ns,
                  std::max(interval_ns, bounds.rate.interval_ns), now_ns);
  }
  const int64_t open_until_ns = cell.open_until_ns;
  if (open_until_ns > now_ns) {
    return PutOff(cell, OriginBound::kBreaker, open_until_ns, interval_ns, now_ns);
  }
  if (!cell.running.Enter(asker.worker, asker.workers, bounds.concurrency_max)) {
    return PutOff(cell, OriginBound::kConcurrency, now_ns + mean_ns / 2, interval_ns, now_ns);
  }
  OriginGate::Pass pass = {.cell = &cell,
                           .began_ns = now_ns,
                           .breaker_failures = bounds.breaker_failures,
                           .breaker_open_ns = bounds.breaker_open_ns};
  if (open_until_ns != 0) {
    pass.trial_until_ns = TakeTrial(cell, now_ns);
    if (pass.trial_until_ns == 0) {
      StepBack(cell, pass, asker);
      return PutOff(cell, OriginBound::kBreaker, now_ns + mean_ns, interval_ns, now_ns);
    }
  }
  if (const int64_t wait_ns = TakeRate(cell, bounds.rate, now_ns); wait_ns > 0) {
    StepBack(cell, pass, asker);
    return PutOff(cell, OriginBound::kRate, now_ns + wait_ns, bounds.rate.interval_ns, now_ns);
  }
  OriginGate::Entry entry;
  entry.pass = pass;
  return entry;
}

void StepBack(OriginCell& cell, const OriginGate::Pass& pass, const OriginAsker& asker) {
  cell.running.Leave(asker.worker);
  if (pass.trial_until_ns != 0) EndTrial(cell, pass);
}

bool LeaveOrigin(OriginCell& cell, const OriginGate::Pass& pass, const OriginAnswer& answer,
                 const OriginAsker& asker, int64_t now_ns) {
  const bool is_trial = pass.trial_until_ns != 0;
  bool opens = false;
  if (answer.retry_after > absl::ZeroDuration()) {
    const int64_t until_ns =
        now_ns + absl::ToInt64Nanoseconds(std::min(answer.retry_after, kOriginRetryAfterMax));
    cell.not_before_ns = std::max<int64_t>(cell.not_before_ns, until_ns);
  }
  if (answer.kind != OriginAnswer::Kind::kNothing) NoteTime(cell, now_ns - pass.began_ns);
  if (answer.kind == OriginAnswer::Kind::kAnswered) {
    cell.failures = 0;
    // What was asked before it opened says nothing of now.
    if (is_trial) {
      cell.openings = 0;
      cell.open_until_ns = 0;
    }
  } else if (answer.kind == OriginAnswer::Kind::kFailed && is_trial) {
    const int32_t openings = std::min(++cell.openings, 10);
    const int64_t factor = std::min(int64_t{1} << openings, kOriginOpenFactorMax);
    cell.open_until_ns = now_ns + factor * pass.breaker_open_ns;
    opens = true;
  } else if (answer.kind == OriginAnswer::Kind::kFailed && cell.open_until_ns == 0 &&
             ++cell.failures >= pass.breaker_failures) {
    int64_t closed = 0;
    opens = cell.open_until_ns.compare_exchange_strong(closed, now_ns + pass.breaker_open_ns);
    cell.failures = 0;
  }
  StepBack(cell, pass, asker);
  return opens;
}

}  // namespace grove::worker
