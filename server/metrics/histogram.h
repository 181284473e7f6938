// Histogram: counts of observations by upper bound, as Prometheus wants them.
#ifndef GROVE_SERVER_METRICS_HISTOGRAM_H_
#define GROVE_SERVER_METRICS_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace grove::metrics {

template <size_t kBounds>
class Histogram {
 public:
  // `bounds`: ascending; a value belongs to the first bound that is not below it.
  explicit constexpr Histogram(const std::array<double, kBounds>& bounds) : bounds_(bounds) {}

  void Observe(double value) {
    size_t bucket = 0;
    while (bucket < kBounds && value > bounds_[bucket]) ++bucket;
    ++counts_[bucket];
    sum_ += value;
  }

  const std::array<double, kBounds>& bounds() const { return bounds_; }
  // Not cumulative; the last one is everything above.
  const std::array<uint64_t, kBounds + 1>& counts() const { return counts_; }
  double sum() const { return sum_; }

 private:
  std::array<double, kBounds> bounds_;
  std::array<uint64_t, kBounds + 1> counts_{};
  double sum_ = 0;
};

// From the moment a task may run to the start of its first attempt. A task dispatched at once waits
// well under a millisecond; a deep backlog makes it wait hours.
inline constexpr std::array<double, 12> kQueueWaitBounds = {0.001, 0.005, 0.02, 0.1, 0.5,  1,
                                                            5,     15,    60,   300, 1800, 7200};
using QueueWaitHistogram = Histogram<kQueueWaitBounds.size()>;

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_HISTOGRAM_H_
