// Retries: whether a call that failed is made again, and when.
//
// For calls that may be made twice: they change nothing, or what they change has a request_id. What
// the server says of when (RetryInfo) is respected; beyond that the pauses grow, and differ at
// random, so that many clients do not come back together. Told the time. Private to //client.

#ifndef GROVE_CLIENT_RETRIES_H_
#define GROVE_CLIENT_RETRIES_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace grove::client {

// Whether gRPC took another call's errno for that of its connect(2), as 1.51 does where something
// came in between: a TCP address has no file that could be missing. Nothing was sent; the next try
// mostly gets through.
bool IsFalseConnectFailure(const absl::Status& failure);

class Retries {
 public:
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
  static constexpr absl::Duration kPauseMax = absl::Seconds(5);

  // Times are since any moment. `random`: [0, 1).
  Retries(absl::Duration end, std::function<double()> random)
      : end_(end), random_(std::move(random)) {}

  // How long to wait before the next try; nullopt: `failure` stands. `heard`: whether the server
  // ever answered: one that was never there is not waited for.
  std::optional<absl::Duration> After(const absl::Status& failure, bool heard, absl::Duration now);

 private:
  const absl::Duration end_;
  const std::function<double()> random_;
  absl::Duration pause_ = kFirstPause;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_RETRIES_H_
