#include "server/tasks/webhook.h"

#include <utility>

#include "google/protobuf/util/json_util.h"
#include "proto/well_known_times.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/views.h"

namespace grove::tasks {
namespace {

// 5 s, 15 s, 45 s … an hour: a receiver may be away for half a day.
constexpr int kAttemptsMax = 20;
constexpr int64_t kFirstBackoffUs = 5 * kUsPerSecond;
constexpr int64_t kMaxBackoffUs = 3600 * kUsPerSecond;
constexpr double kBackoffMultiplier = 3;
constexpr int64_t kTimeoutUs = 30 * kUsPerSecond;

std::string ToJson(v1::Task task) {
  std::string json;
  if (google::protobuf::util::MessageToJsonString(task, &json).ok()) return json;
  // A function's error may have details of a type that nobody here knows.
  task.mutable_error()->clear_details();
  for (v1::Attempt& attempt : *task.mutable_attempts()) attempt.mutable_error()->clear_details();
  json.clear();
  if (!google::protobuf::util::MessageToJsonString(task, &json).ok()) json.clear();
  return json;
}

}  // namespace

v1::TaskSpec WebhookSpec(const v1::TaskSpec& spec, const std::string& task) {
  v1::TaskSpec hook;
  hook.set_function(std::string(kWebhookFunction));
  hook.set_content_type("text/plain");
  hook.set_input(spec.webhook().url());
  hook.set_queue(spec.queue());
  hook.set_priority(spec.priority());
  hook.set_durability(spec.durability());
  hook.set_traceparent(spec.traceparent());
  hook.set_tracestate(spec.tracestate());
  hook.add_after(task);
  proto::SetMicros(kTimeoutUs, hook.mutable_timeout());
  v1::RetryPolicy& policy = *hook.mutable_retry_policy();
  policy.set_max_attempts(kAttemptsMax);
  policy.set_backoff_multiplier(kBackoffMultiplier);
  proto::SetMicros(kFirstBackoffUs, policy.mutable_initial_backoff());
  proto::SetMicros(kMaxBackoffUs, policy.mutable_max_backoff());
  return hook;
}

bool WriteWebhookBody(const EngineState& state, Task* task) {
  const SpecRelations* relations = task->spec.extras().relations.get();
  const bool waits_for_one = relations != nullptr && relations->after.size() == 1;
  if (state.FunctionOf(*task) != kWebhookFunction || !waits_for_one ||
      task->past().checkpoint != nullptr) {
    return false;
  }
  const Task* ended = state.FindTask(relations->after.id(0));
  if (ended == nullptr) return false;
  SetCheckpoint(task, ToJson(ViewTask(state, *ended, v1::TASK_VIEW_BASIC, Audience::kTenant,
                                      /*ahead_max=*/0)));
  return true;
}

}  // namespace grove::tasks
