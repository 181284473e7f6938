// RecentWaits: how long tasks waited of late, for percentiles.
//
// Counts by size, four sizes to the octave: a percentile is at most a fifth too high. Two
// generations take turns, so that what is older than two of them is forgotten.
#ifndef GROVE_SERVER_TASKS_RECENT_WAITS_H_
#define GROVE_SERVER_TASKS_RECENT_WAITS_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace grove::tasks {

class RecentWaits {
 public:
  void Add(int64_t us) { ++now_[SizeOf(us)]; }
  // A new generation begins.
  void Turn() {
    before_ = now_;
    now_ = {};
  }
  // The upper bound of the size that `part` of them (0 to 1) do not pass; 0 if there are none.
  int64_t Percentile(double part) const;

 private:
  // Below 32 us all are one size; beyond 2^34 us, some five hours, too.
  static constexpr int kFirstBit = 5;
  static constexpr int kLastBit = 34;
  static constexpr size_t kSizes = 1 + (kLastBit - kFirstBit) * 4;
  using Counts = std::array<uint32_t, kSizes>;

  static size_t SizeOf(int64_t us) {
    if (us < int64_t{1} << kFirstBit) return 0;
    const int bit = std::bit_width(static_cast<uint64_t>(us)) - 1;
    if (bit >= kLastBit) return kSizes - 1;
    return 1 + (bit - kFirstBit) * 4 + ((us >> (bit - 2)) & 3);
  }
  static int64_t UpperBound(size_t size) {
    if (size == 0) return int64_t{1} << kFirstBit;
    const size_t octave = (size - 1) / 4 + kFirstBit, quarter = (size - 1) % 4;
    return (int64_t{1} << octave) +
           static_cast<int64_t>(quarter + 1) * (int64_t{1} << (octave - 2));
  }

  Counts now_{};
  Counts before_{};
};

inline int64_t RecentWaits::Percentile(double part) const {
  uint64_t all = 0;
  for (size_t i = 0; i < kSizes; ++i) all += now_[i] + before_[i];
  if (all == 0) return 0;
  const auto wanted = static_cast<uint64_t>(part * static_cast<double>(all - 1)) + 1;
  uint64_t sum = 0;
  for (size_t i = 0; i < kSizes; ++i) {
    sum += now_[i] + before_[i];
    if (sum >= wanted) return UpperBound(i);
  }
  return UpperBound(kSizes - 1);
}

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RECENT_WAITS_H_
