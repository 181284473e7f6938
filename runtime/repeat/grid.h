// Grid: the points of a fixed interval: first, first + interval, first + 2 * interval, …
//
// It stands at one of its points and moves on to the next that is not missed. However late that
// happens, the points stay where they are: lateness never adds up. Pure: it is told the time.
#ifndef GROVE_RUNTIME_REPEAT_GRID_H_
#define GROVE_RUNTIME_REPEAT_GRID_H_

#include <cstdint>

#include "absl/time/time.h"
#include "runtime/hub/clock.h"

namespace grove {

class Grid {
 public:
  struct Step {
    MonotonicNanos at;            // the point it stands at now
    int64_t skipped;              // points before that one that have passed
    absl::Duration outlasted_by;  // how far `now` is beyond the first that could have been next
  };

  // Stands at `first`. Requires: interval > 0.
  Grid(MonotonicNanos first, absl::Duration interval);

  // The point it stands at.
  MonotonicNanos at() const { return at_; }
  // Moves on by a point at least, to the first that is not before `now`: one that falls on `now` is
  // just in time.
  Step Advance(MonotonicNanos now);
  // The first point after `now` and not before at(): one that falls on `now` is over. Stays where
  // it is.
  MonotonicNanos After(MonotonicNanos now) const;

 private:
  MonotonicNanos at_;
  int64_t interval_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_REPEAT_GRID_H_
