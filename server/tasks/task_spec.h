// Task specs: what a caller may ask for.
//
// Checks a grove.v1.TaskSpec and normalises it (defaults filled in, units settled) into an
// AcceptedSpec. Pure: knows limits and the functions that exist, not what runs.
#ifndef GROVE_SERVER_TASKS_TASK_SPEC_H_
#define GROVE_SERVER_TASKS_TASK_SPEC_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/relations.h"
#include "server/tasks/retry_rules.h"
#include "server/tasks/spec_trace.h"
#include "server/wall_time.h"

namespace grove::tasks {

inline constexpr int64_t kDelayMaxUs = 366 * 86400 * kUsPerSecond;
inline constexpr int64_t kTimeoutMaxUs = 86400 * kUsPerSecond;
inline constexpr int64_t kBackoffMaxUs = 86400 * kUsPerSecond;
inline constexpr int32_t kMaxAttemptsMax = 100;
inline constexpr double kBackoffMultiplierMax = 10.0;
inline constexpr int64_t kScheduleToStartMaxUs = kDelayMaxUs;
inline constexpr int64_t kHeartbeatMaxUs = kTimeoutMaxUs;
inline constexpr size_t kUniqueKeyMax = 128;
inline constexpr int32_t kPriorityMax = 9;
inline constexpr size_t kLimitKeysPerTaskMax = 2;
inline constexpr int32_t kSlotCostMax = 1'000;
inline constexpr int kAfterMax = 10'000;
inline constexpr size_t kSequenceKeyMax = 128;
inline constexpr size_t kFunctionNameMax = 255;
inline constexpr size_t kContentTypeMax = 255;
inline constexpr size_t kRequestIdMax = 128;
inline constexpr size_t kLabelsMax = 32;
inline constexpr size_t kLabelKeyMax = 63;
inline constexpr size_t kLabelValueMax = 255;
inline constexpr std::string_view kJsonContentType = "application/json";

struct UniqueKeyRule {
  std::string key;
  // A spawn that finds it taken is refused, and not attached.
  bool refuses = false;
};

// What few specs have: out of line, since there may be millions of the others.
struct SpecExtras {
  // Empty: kJsonContentType.
  std::string content_type;
  int64_t delay_us = 0;
  // 0: none.
  WallMicros start_us = 0;
  // Of each wait in the queue, and between two signs of life of an attempt; 0: none.
  int64_t schedule_to_start_us = 0;
  int64_t heartbeat_us = 0;
  std::string request_id;
  // Of the whole spec, if it has a request_id (fingerprint.h), and once somebody asked for it or
  // the input has left the memory; before that 0.
  uint64_t fingerprint = 0;
  // nullptr: none.
  std::unique_ptr<UniqueKeyRule> unique;
  // One key, or two with '/' between them; nullptr: none.
  std::unique_ptr<const std::string> limit_key;
  // nullptr: none.
  std::unique_ptr<SpecRelations> relations;
  // A payload's name; nullptr: the input is in the spec.
  std::unique_ptr<const std::string> input_payload;
  // nullptr: none.
  std::unique_ptr<const SpecTrace> trace;
  // Sorted by key.
  std::vector<std::pair<std::string, std::string>> labels;
};

// All of a spec but the names of its function and its queue, for which a task has indices.
struct AcceptedSpec {
  // Empty JSON input has become "{}": a function that reads JSON always gets some.
  std::string input;
  // nullptr: the defaults. Shared: most tasks of a function have the same.
  std::shared_ptr<const RetryRules> shared_retry;
  // nullptr: it has none.
  std::unique_ptr<SpecExtras> rare;
  // 0: the function's own.
  int64_t timeout_us = 0;
  int16_t priority = 0;
  int16_t slot_cost = 1;
  bool durable = true;

  const RetryRules& retry() const;
  const SpecExtras& extras() const;
  // To be written to.
  SpecExtras& Extras();
  std::string_view content_type() const;
};

struct SpecLimits {
  int64_t input_max_bytes;
};

// INVALID_ARGUMENT with ErrorInfo and BadRequest. `tenant` is a short name.
absl::Status CheckSpec(const v1::TaskSpec& spec, std::string_view tenant, const SpecLimits& limits,
                       absl::FunctionRef<bool(std::string_view)> is_known_function);

// As CheckSpec, of what can change later: priority, labels, delay, and the start time's form.
absl::Status CheckChanges(const v1::TaskSpec& spec);
// Not too far ahead.
absl::Status CheckStartTime(WallMicros start_us, WallMicros now_us);

// As of AcceptedSpec; empty: none.
std::string LimitKeyOf(const v1::TaskSpec& spec);
// The short name of the queue that a checked spec names.
std::string ShortQueueName(const v1::TaskSpec& spec);
// Takes a checked spec apart.
AcceptedSpec NormaliseSpec(v1::TaskSpec&& spec);

void FillLimitKeys(const AcceptedSpec& accepted, v1::TaskSpec& spec);
// For queries and the store: the spec with its defaults filled in, but for the names of function
// and queue, and the input.
void FillSpec(const AcceptedSpec& accepted, v1::TaskSpec& spec);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_SPEC_H_
