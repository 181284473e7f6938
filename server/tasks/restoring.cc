#include "server/tasks/restoring.h"

#include <string>
#include <utility>

#include "server/tasks/lifecycle.h"
#include "server/tasks/views.h"

namespace grove::tasks {

std::unique_ptr<Task> Restore(EngineState& state, const StoredTask& stored, size_t queue) {
  auto task = std::make_unique<Task>();
  v1::TaskSpec& spec = state.recovered_spec;
  if (!spec.ParseFromString(stored.spec)) return nullptr;
  task->function = state.InternFunction(spec.function());
  task->spec = NormaliseSpec(std::move(spec));
  if (stored.input_bytes >= 0) task->spec.input = stored.input;
  task->input_bytes = static_cast<int32_t>(
      stored.input_bytes >= 0 ? stored.input_bytes : static_cast<int64_t>(task->spec.input.size()));
  if (stored.fingerprint != 0) task->spec.Extras().fingerprint = stored.fingerprint;
  ShareRetryRules(state, *task);
  if (!RestoreProgress(state, stored.progress, state.recovered_progress, *task)) return nullptr;
  if (task->past().output_bytes > kInlinePayloadBytesMax) std::string().swap(task->Past().output);
  task->id = stored.id;
  task->queue = queue;
  task->stored = task->spec.durable;
  return task;
}

}  // namespace grove::tasks
