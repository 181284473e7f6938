#include "server/tasks/queue_changes.h"

#include <string>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/paging.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_changes.h"
#include "server/tasks/turns.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

void WriteQueue(EngineState& state, size_t index, Effects& effects) {
  const tenancy::Directory::Queue& settings = state.directory->queues()[index];
  const QueueState& queue = state.queues[index];
  StoreWrite& write = effects.writes.emplace_back();
  write.kind = StoreWrite::Kind::kQueue;
  write.ticket = ++state.last_ticket;
  write.task.tenant = state.directory->tenants()[settings.tenant].name;
  write.task.queue = settings.name;
  if (queue.paused != settings.paused || !queue.pause_reason.empty()) {
    v1::Queue said;
    said.set_state(queue.paused ? v1::Queue::STATE_PAUSED : v1::Queue::STATE_ACTIVE);
    said.set_pause_reason(queue.pause_reason);
    said.SerializeToString(&write.task.progress.task);
  }
  state.unconfirmed.push_back({.ticket = write.ticket});
}

}  // namespace

absl::Status SayOfQueue(EngineState& state, std::string_view name, bool paused,
                        std::string_view reason, Effects& effects) {
  const auto parsed = tenancy::ParseQueueName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto index = state.directory->FindQueue(parsed->tenant, parsed->queue);
  if (!index) return NotInConfig("QUEUE", name);
  if (reason.size() > kReasonMax) {
    return BadField("reason", "REASON_TOO_LONG",
                    StrCat("is ", reason.size(), " bytes; at most ", kReasonMax, " are allowed"));
  }
  QueueState& queue = state.queues[*index];
  if (queue.paused == paused && queue.pause_reason == reason) return absl::OkStatus();
  queue.paused = paused;
  queue.pause_reason = std::string(reason);
  WriteQueue(state, *index, effects);
  if (!paused) {
    WakeQueue(state, *index);
  } else if (queue.stand == QueueState::Stand::kReady) {
    Rest(state, *index);
  }
  return absl::OkStatus();
}

}  // namespace grove::tasks
