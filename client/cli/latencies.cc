#include "client/cli/latencies.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace grove::client::cli {

size_t Latencies::BucketOf(uint64_t us) {
  const int bits = std::bit_width(us);
  const int shift = std::max(0, bits - kFineBits - 1);
  return (static_cast<size_t>(shift) << kFineBits) + static_cast<size_t>(us >> shift);
}

uint64_t Latencies::EndOf(size_t bucket) {
  const size_t fine = size_t{1} << kFineBits;
  if (bucket < 2 * fine) return bucket;
  const size_t shift = (bucket >> kFineBits) - 1;
  const uint64_t step = bucket - (shift << kFineBits);
  return ((step + 1) << shift) - 1;
}

void Latencies::Add(absl::Duration took, int64_t times) {
  if (times <= 0) return;
  const auto us = static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Microseconds(took)));
  counts_[std::min(BucketOf(us), kBuckets - 1)] += times;
  count_ += times;
  longest_ = std::max(longest_, took);
}

void Latencies::Add(const Latencies& others) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += others.counts_[i];
  count_ += others.count_;
  longest_ = std::max(longest_, others.longest_);
}

absl::Duration Latencies::Quantile(double part) const {
  const auto wanted =
      std::max<int64_t>(1, static_cast<int64_t>(std::ceil(part * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= wanted) {
      return std::min(longest_, absl::Microseconds(static_cast<int64_t>(EndOf(i))));
    }
  }
  return longest_;
}

}  // namespace grove::client::cli
