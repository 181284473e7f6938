// TokenBuckets: how many requests each of many keys may make.
//
// A bucket per key holds up to `burst` requests and refills steadily. Told the time; pure. Bounded:
// the key that was seen longest ago is forgotten first, which gives it a full bucket.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_TOKEN_BUCKETS_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_TOKEN_BUCKETS_H_

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/time/time.h"

namespace grove::http {

class TokenBuckets {
 public:
  struct Options {
    // One more request each `interval`. Requires: more than zero, at most a day.
    absl::Duration interval = absl::Milliseconds(100);
    int64_t burst = 10;  // at least 1
    size_t keys_max = 65'536;
  };
  struct Decision {
    bool admitted;
    int64_t remaining;        // requests left at once
    absl::Duration retry_in;  // until the next is admitted; zero if one is now
    absl::Duration full_in;   // until the bucket is full again
  };

  explicit TokenBuckets(const Options& options);

  // One request of `key` at `now_ns` of a clock that doesn't go back.
  Decision Take(std::string_view key, int64_t now_ns);

  size_t keys() const { return buckets_.size(); }

 private:
  // Kept as the time at which it is full: a number instead of a level and its age (GCRA).
  struct Bucket {
    std::string key;
    int64_t full_at_ns;
  };

  const int64_t interval_ns_;
  const int64_t burst_ns_;
  const size_t keys_max_;
  std::list<Bucket> buckets_;  // most recently seen first
  // Keys are views into buckets_.
  std::unordered_map<std::string_view, std::list<Bucket>::iterator> places_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_TOKEN_BUCKETS_H_
