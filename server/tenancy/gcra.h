// Gcra: how often something may happen, kept as one number.
//
// The generic cell rate algorithm: a bucket that holds `burst` and refills steadily, as the time at
// which it is full. Told the time and the rate, which may be another each time; pure.
#ifndef GROVE_SERVER_TENANCY_GCRA_H_
#define GROVE_SERVER_TENANCY_GCRA_H_

#include <algorithm>
#include <cstdint>

namespace grove::tenancy {

// One each `interval_ns`, and `burst` at once after a pause. Their product stays far below 2^63.
struct Rate {
  // 0: no bound.
  int64_t interval_ns = 0;
  int64_t burst = 0;

  bool is_bound() const { return interval_ns > 0; }
  friend bool operator==(const Rate&, const Rate&) = default;
};

class Gcra {
 public:
  Gcra() = default;
  // `full_at_ns`: what another one said.
  explicit Gcra(int64_t full_at_ns) : full_at_ns_(full_at_ns) {}

  // Until one is let in; 0 if one is now.
  int64_t WaitNs(const Rate& rate, int64_t now_ns) const {
    if (!rate.is_bound()) return 0;
    const int64_t burst_ns = rate.interval_ns * rate.burst;
    return std::max<int64_t>(0, MissingNs(rate, now_ns) + rate.interval_ns - burst_ns);
  }
  // Lets one in, whether or not there was room.
  void Take(const Rate& rate, int64_t now_ns) {
    if (rate.is_bound()) full_at_ns_ = now_ns + MissingNs(rate, now_ns) + rate.interval_ns;
  }
  // How many of `burst` are used, a part of one counted as one: at `burst` none may be let in.
  int64_t Used(const Rate& rate, int64_t now_ns) const {
    if (!rate.is_bound()) return 0;
    return (MissingNs(rate, now_ns) + rate.interval_ns - 1) / rate.interval_ns;
  }
  // Since when it is as if nothing had happened.
  int64_t full_at_ns() const { return full_at_ns_; }

 private:
  // Never more than a whole bucket: a rate that was raised holds at once.
  int64_t MissingNs(const Rate& rate, int64_t now_ns) const {
    return std::clamp<int64_t>(full_at_ns_ - now_ns, 0, rate.interval_ns * rate.burst);
  }

  int64_t full_at_ns_ = 0;
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_GCRA_H_
