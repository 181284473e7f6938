#include "server/http/middleware/token_buckets.h"

#include <algorithm>

namespace grove::http {

TokenBuckets::TokenBuckets(const Options& options)
    : interval_ns_(std::max<int64_t>(1, absl::ToInt64Nanoseconds(options.interval))),
      // Ten years of nanoseconds, far from overflow when added to a clock's.
      burst_ns_(
          std::min<int64_t>(options.burst, int64_t{3'652} * 86'400'000'000'000 / interval_ns_) *
          interval_ns_),
      keys_max_(options.keys_max) {}

TokenBuckets::Decision TokenBuckets::Take(std::string_view key, int64_t now_ns) {
  const auto place = places_.find(key);
  if (place != places_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, place->second);
  } else {
    if (buckets_.size() >= keys_max_) {
      places_.erase(buckets_.back().key);
      buckets_.pop_back();
    }
    buckets_.push_front({std::string(key), now_ns});
    places_.emplace(buckets_.front().key, buckets_.begin());
  }
  int64_t& full_at = buckets_.front().full_at_ns;
  const int64_t missing = std::max<int64_t>(0, full_at - now_ns);
  const bool admitted = missing + interval_ns_ <= burst_ns_;
  if (admitted) full_at = now_ns + missing + interval_ns_;
  const int64_t now_missing = admitted ? missing + interval_ns_ : missing;
  const int64_t wait = std::max<int64_t>(0, now_missing + interval_ns_ - burst_ns_);
  return {.admitted = admitted,
          .remaining = (burst_ns_ - now_missing) / interval_ns_,
          .retry_in = absl::Nanoseconds(wait),
          .full_in = absl::Nanoseconds(now_missing)};
}

}  // namespace grove::http
