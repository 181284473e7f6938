#include "server/tasks/retry_rules.h"

#include <algorithm>
#include <cmath>

#include "proto/well_known_times.h"

namespace grove::tasks {

using proto::SetMicros;
using proto::ToMicros;

int64_t RetryRules::BackoffUs(int32_t failures, double chance) const {
  const double wait_us = initial_backoff_us * std::pow(backoff_multiplier, failures - 1);
  // Compared as doubles: the power may be beyond any integer.
  const double bounded_us = std::min(wait_us, static_cast<double>(max_backoff_us));
  return static_cast<int64_t>(bounded_us * (1 - jitter * chance));
}

RetryRules NormaliseRetry(const v1::RetryPolicy& policy) {
  RetryRules rules;
  if (policy.max_attempts() > 0) rules.max_attempts = policy.max_attempts();
  if (policy.backoff_multiplier() > 0) rules.backoff_multiplier = policy.backoff_multiplier();
  if (policy.has_initial_backoff()) rules.initial_backoff_us = ToMicros(policy.initial_backoff());
  if (policy.has_max_backoff()) {
    rules.max_backoff_us = ToMicros(policy.max_backoff());
    rules.initial_backoff_us = std::min(rules.initial_backoff_us, rules.max_backoff_us);
  }
  rules.max_backoff_us = std::max(rules.max_backoff_us, rules.initial_backoff_us);
  if (policy.has_jitter()) rules.jitter = std::clamp(policy.jitter(), 0.0, 1.0);
  for (const int32_t code : policy.not_retried_codes()) {
    if (code > 0 && code < kErrorCodesEnd) rules.not_retried |= 1u << code;
  }
  return rules;
}

void FillRetry(const RetryRules& rules, v1::RetryPolicy& policy) {
  policy.set_max_attempts(rules.max_attempts);
  SetMicros(rules.initial_backoff_us, policy.mutable_initial_backoff());
  SetMicros(rules.max_backoff_us, policy.mutable_max_backoff());
  policy.set_backoff_multiplier(rules.backoff_multiplier);
  policy.set_jitter(rules.jitter);
  for (int code = 1; code < kErrorCodesEnd; ++code) {
    if (rules.IsFinal(code)) policy.add_not_retried_codes(code);
  }
}

}  // namespace grove::tasks
