// WatchLimits: how many watches there may be, and whose turn it is.
//
// Watches are for whoever looks, tasks come first: all watches together get no more than a part of
// the hub's time, so that what they tell comes later under load, and as fewer changes. Told the
// time. Pure.
#ifndef GROVE_SERVER_CONTROL_WATCH_LIMITS_H_
#define GROVE_SERVER_CONTROL_WATCH_LIMITS_H_

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "runtime/hub/clock.h"

namespace grove::control {

// Each has a fiber, and a place in a log of changes.
inline constexpr size_t kWatchesMax = 256;
// Of one tenant, and of all: the rest is the operators'.
inline constexpr size_t kTenantWatchesMax = 32;
inline constexpr size_t kTenantsWatchesMax = 192;
// Of the hub's time: a fifth.
inline constexpr int64_t kPausePerWork = 4;

class WatchLimits {
 public:
  // One more of `tenant` (empty: the operators), if there is room: RESOURCE_EXHAUSTED.
  absl::Status Enter(const std::string& tenant);
  void Leave(const std::string& tenant);
  size_t open() const { return open_; }

  // Something was told, which took from `began` to `now`.
  void Worked(MonotonicNanos began, MonotonicNanos now) {
    next_turn_ = std::max(next_turn_, now) + kPausePerWork * (now - began);
  }
  // Before it nothing is to be told.
  MonotonicNanos next_turn() const { return next_turn_; }

 private:
  size_t open_ = 0;
  size_t open_of_tenants_ = 0;
  absl::flat_hash_map<std::string, size_t> by_tenant_;
  MonotonicNanos next_turn_ = 0;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_WATCH_LIMITS_H_
