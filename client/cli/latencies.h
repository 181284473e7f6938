// Latencies: how long many things took, in as much memory as one would.
//
// Counts in buckets that are a 64th as wide as what they hold, so that a quantile is right to 1.6
// %; the longest is kept as it was. Pure; not thread-safe.

#ifndef GROVE_CLIENT_CLI_LATENCIES_H_
#define GROVE_CLIENT_CLI_LATENCIES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace grove::client::cli {

class Latencies {
 public:
  // `times`: as many things took so long.
  void Add(absl::Duration took, int64_t times = 1);
  void Add(const Latencies& others);

  int64_t count() const { return count_; }
  absl::Duration longest() const { return longest_; }
  // What `part` (0 to 1) of them took at most; zero of none.
  absl::Duration Quantile(double part) const;

 private:
  // Microseconds; 64 buckets for each power of two from 64 on.
  static constexpr int kFineBits = 6;
  static constexpr size_t kBuckets = size_t{64} << kFineBits;

  static size_t BucketOf(uint64_t us);
  // The largest that is in it.
  static uint64_t EndOf(size_t bucket);

  std::array<int64_t, kBuckets> counts_ = {};
  int64_t count_ = 0;
  absl::Duration longest_;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_LATENCIES_H_
