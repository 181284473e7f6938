// Bounds of histograms, and which bucket a value belongs to.
#ifndef GROVE_SERVER_METRICS_HISTOGRAM_H_
#define GROVE_SERVER_METRICS_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace grove::metrics {

// The bucket of `value`: the first bound that is not below it, or the one behind the last.
template <size_t kBounds>
constexpr size_t BucketOf(const std::array<double, kBounds>& bounds, double value) {
  size_t bucket = 0;
  while (bucket < kBounds && value > bounds[bucket]) ++bucket;
  return bucket;
}

// How long tasks wait for their first attempt, how long an attempt runs, and both together. A task
// dispatched at once waits well under a millisecond; a deep backlog makes it wait hours.
inline constexpr std::array<double, 12> kTaskTimeBounds = {0.001, 0.005, 0.02, 0.1, 0.5,  1,
                                                           5,     15,    60,   300, 1800, 7200};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_HISTOGRAM_H_
