// Retry: calls something until it succeeds, with pauses that grow by the same step each time.
//
// For what fails now and then for reasons of its own; a pause that grows by a factor, with an
// overall time-out, is LoopingCall::Backoff. Time is the hub's. Hub thread only.
#ifndef GROVE_RUNTIME_REPEAT_RETRY_H_
#define GROVE_RUNTIME_REPEAT_RETRY_H_

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/hub.h"
#include "runtime/repeat/backoff.h"

namespace grove {

struct RetryOptions {
  static constexpr int64_t kForever = -1;

  // After the first call; kForever: no limit.
  int64_t retries_max = kForever;
  // The first pause is as long, and each is so much longer than the one before.
  absl::Duration pause_step = absl::Seconds(10);
  absl::Duration pause_max = absl::Seconds(60);
  // Each pause is lengthened by up to this share of it; 0 needs no `random`.
  double jitter = 0;
  Random random = nullptr;
  // Failures that are worth another call. Unavailable is the one code that says so by itself
  // (grpc/doc/statuscodes.md); any other ends it.
  std::vector<absl::StatusCode> retried = {absl::StatusCode::kUnavailable};
};

// Which failure is followed by which pause. Pure.
class RetryPauses {
 public:
  // `options` must outlive it.
  explicit RetryPauses(const RetryOptions& options);
  // kInvalidArgument: options that can't be.
  absl::Status Validate() const;
  // Whether to call again after `failure`.
  bool WorthRetrying(const absl::Status& failure) const;
  // The pause before the next call.
  absl::Duration Next();

 private:
  const RetryOptions& options_;
  int64_t retries_ = 0;
  Backoff pauses_;
};

// What `call` (an absl::Status or absl::StatusOr<T>) returns when it succeeds, fails with another
// code, or has been retried often enough: its last failure then. An exception ends it, too.
// kInvalidArgument: options that can't be, and nothing was called. kDeadlineExceeded, kCancelled of
// the caller's own end a pause. **Parks.**
template <typename F>
std::invoke_result_t<F&> Retry(const RetryOptions& options, F&& call) {
  const auto status_of = [](const auto& result) -> absl::Status {
    if constexpr (std::is_same_v<std::decay_t<decltype(result)>, absl::Status>) {
      return result;
    } else {
      return result.status();
    }
  };
  RetryPauses pauses(options);
  if (absl::Status valid = pauses.Validate(); !valid.ok()) return valid;
  for (;;) {
    std::invoke_result_t<F&> result = call();
    if (!pauses.WorthRetrying(status_of(result))) return result;
    if (absl::Status slept = Sleep(pauses.Next()); !slept.ok()) return slept;
  }
}

}  // namespace grove

#endif  // GROVE_RUNTIME_REPEAT_RETRY_H_
