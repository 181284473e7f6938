// RetryRules: how a task is tried again, as its engine needs it. A value.
#ifndef GROVE_SERVER_TASKS_RETRY_RULES_H_
#define GROVE_SERVER_TASKS_RETRY_RULES_H_

#include <cstdint>

#include "grove/v1/task_service.pb.h"
#include "server/tasks/engine_time.h"

namespace grove::tasks {

inline constexpr int64_t kInitialBackoffDefaultUs = kUsPerSecond;
inline constexpr int64_t kMaxBackoffDefaultUs = 60 * kUsPerSecond;
inline constexpr double kBackoffMultiplierDefault = 2.0;
inline constexpr double kJitterDefault = 0.1;
// google.rpc.Code from CANCELLED to UNAUTHENTICATED.
inline constexpr int kErrorCodesEnd = 17;

struct RetryRules {
  int32_t max_attempts = 1;
  // Bit N: not after an error of google.rpc.Code N.
  uint32_t not_retried = 0;
  int64_t initial_backoff_us = kInitialBackoffDefaultUs;
  int64_t max_backoff_us = kMaxBackoffDefaultUs;
  double backoff_multiplier = kBackoffMultiplierDefault;
  double jitter = kJitterDefault;

  bool operator==(const RetryRules&) const = default;
  // Wait after the `failures`-th failure, counted from 1. `chance`, from 0 to 1, is how much of
  // what the jitter allows it is shorter.
  int64_t BackoffUs(int32_t failures, double chance) const;
  bool IsFinal(int code) const { return code >= 0 && code < 32 && (not_retried >> code & 1) != 0; }
};

// Of a checked policy.
RetryRules NormaliseRetry(const v1::RetryPolicy& policy);
void FillRetry(const RetryRules& rules, v1::RetryPolicy& policy);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RETRY_RULES_H_
