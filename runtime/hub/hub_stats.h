// HubStats: what a hub counts about itself.
#ifndef GROVE_RUNTIME_HUB_HUB_STATS_H_
#define GROVE_RUNTIME_HUB_HUB_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace grove {

// Counters since the hub was made; levels where the name says so.
struct HubStats {
  // Upper bounds in seconds of how late timers fired (the last bucket is everything above).
  static constexpr std::array<double, 8> kLagBounds = {0.0001, 0.0005, 0.001, 0.005,
                                                       0.01,   0.05,   0.1,   1};
  uint64_t turns = 0;
  uint64_t polls = 0;
  // System calls on descriptors: reads, writes, accepts, …; not those inside TLS.
  uint64_t io_calls = 0;
  uint64_t switches = 0;
  uint64_t spawned = 0;
  uint64_t ended = 0;
  uint64_t uncaught_exceptions = 0;
  uint64_t timers_fired = 0;
  std::array<uint64_t, kLagBounds.size() + 1> lag_counts{};
  double lag_seconds_sum = 0;
  size_t fibers_live = 0;
  size_t run_queue_length = 0;
  size_t timers_armed = 0;
  size_t descriptors = 0;
  // Made for fibers, those kept for new ones included, and the address space of all of them.
  size_t stacks = 0;
  size_t stack_bytes = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_HUB_STATS_H_
