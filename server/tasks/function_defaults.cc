#include "server/tasks/function_defaults.h"

#include <algorithm>

#include "proto/well_known_times.h"
#include "server/tasks/engine_time.h"

namespace grove::tasks {
namespace {

using proto::SetMicros;
using proto::ToMicros;

// One bound of the back-off may be the spec's and the other the function's: the spec's holds.
void FillBackoff(const v1::RetryPolicy& function, v1::RetryPolicy& policy) {
  const bool own_initial = policy.has_initial_backoff();
  const bool own_max = policy.has_max_backoff();
  if (!own_initial && function.has_initial_backoff()) {
    *policy.mutable_initial_backoff() = function.initial_backoff();
  }
  if (!own_max && function.has_max_backoff())
    *policy.mutable_max_backoff() = function.max_backoff();
  if (own_initial == own_max || !policy.has_initial_backoff() || !policy.has_max_backoff()) return;
  const int64_t initial_us = ToMicros(policy.initial_backoff());
  const int64_t max_us = ToMicros(policy.max_backoff());
  if (initial_us <= max_us) return;
  if (own_max) {
    *policy.mutable_initial_backoff() = policy.max_backoff();
  } else {
    *policy.mutable_max_backoff() = policy.initial_backoff();
  }
}

void FillRetry(const v1::RetryPolicy& function, v1::RetryPolicy& policy) {
  if (policy.max_attempts() == 0) policy.set_max_attempts(function.max_attempts());
  if (policy.backoff_multiplier() == 0) {
    policy.set_backoff_multiplier(function.backoff_multiplier());
  }
  if (!policy.has_jitter() && function.has_jitter()) policy.set_jitter(function.jitter());
  policy.mutable_not_retried_codes()->MergeFrom(function.not_retried_codes());
  FillBackoff(function, policy);
}

}  // namespace

void FillDefaults(const internal::v1::FunctionDescription& function, v1::TaskSpec& spec) {
  if (function.has_retry()) FillRetry(function.retry(), *spec.mutable_retry_policy());
  if (spec.queue().empty()) spec.set_queue(function.queue());
  if (spec.slot_cost() == 0) spec.set_slot_cost(function.slot_cost());
  if (!spec.has_schedule_to_start_timeout() && function.schedule_to_start_timeout_ms() > 0) {
    SetMicros(function.schedule_to_start_timeout_ms() * kUsPerMs,
              spec.mutable_schedule_to_start_timeout());
  }
  if (!spec.has_heartbeat_timeout() && function.heartbeat_timeout_ms() > 0) {
    SetMicros(function.heartbeat_timeout_ms() * kUsPerMs, spec.mutable_heartbeat_timeout());
  }
}

}  // namespace grove::tasks
