#include "runtime/repeat/grid.h"

#include "runtime/hub/check.h"

namespace grove {
namespace {

constexpr MonotonicNanos SaturatingAdd(MonotonicNanos at, int64_t by) {
  return by >= kNever - at ? kNever : at + by;
}

}  // namespace

Grid::Grid(MonotonicNanos first, absl::Duration interval)
    : at_(first), interval_(absl::ToInt64Nanoseconds(interval)) {
  GROVE_CHECK(interval_ > 0, "a grid needs an interval of at least a nanosecond");
}

Grid::Step Grid::Advance(MonotonicNanos now) {
  const MonotonicNanos next = SaturatingAdd(at_, interval_);
  if (now <= next) {
    at_ = next;
    return {.at = next, .skipped = 0, .outlasted_by = absl::ZeroDuration()};
  }
  const int64_t late = now - next;
  const int64_t into = late % interval_;  // how far `now` is beyond the last point before it
  at_ = into == 0 ? now : SaturatingAdd(now, interval_ - into);
  return {.at = at_,
          .skipped = late / interval_ + (into != 0),
          .outlasted_by = absl::Nanoseconds(late)};
}

MonotonicNanos Grid::After(MonotonicNanos now) const {
  if (now < at_) return at_;
  return SaturatingAdd(now, interval_ - (now - at_) % interval_);
}

}  // namespace grove
