// WallMicros, WallNow: points in time that outlive a process.
//
// What is stored, shown to people or compared between processes. Within a process time is
// MonotonicNanos (runtime/hub/clock.h): the wall's clock may be set back.
#ifndef GROVE_SERVER_WALL_TIME_H_
#define GROVE_SERVER_WALL_TIME_H_

#include <cstdint>

#include "absl/time/clock.h"

namespace grove {

// Microseconds since the epoch. Durations in microseconds are plain int64_t.
using WallMicros = int64_t;

inline WallMicros WallNow() {
  return absl::GetCurrentTimeNanos() / 1000;
}

}  // namespace grove

#endif  // GROVE_SERVER_WALL_TIME_H_
