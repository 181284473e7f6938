#include "server/tasks/task_memory.h"

#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

// The record, its places in the indices by id and by name, and what malloc adds to its strings.
constexpr int64_t kRecordBytes = sizeof(Task) + 256;
constexpr int64_t kLabelBytes = 2 * sizeof(std::string) + 32;
constexpr int64_t kErrorBytes = 256;
// Of a text on its own.
constexpr int64_t kTextBytes = sizeof(std::string) + 16;
constexpr int64_t kUniqueBytes = sizeof(UniqueKeyRule) + 128;
// Two keys may be there for this task alone.
constexpr int64_t kLimitKeyBytes = kTextBytes + 2 * (sizeof(LimitKey) + 96);
constexpr int64_t kRetryAfterMs = 1000;
// Of the budget: kept free for new tasks by what leaves early.
constexpr int64_t kHeadroomShare = 4;
// Of the budget: what may wait for the disk before links are read slowly.
constexpr int64_t kUnconfirmedShare = 4;

int64_t Bytes(const std::unique_ptr<google::rpc::Status>& error) {
  return error == nullptr ? 0 : kErrorBytes + static_cast<int64_t>(error->message().size());
}

int64_t Bytes(const std::string& text) {
  return static_cast<int64_t>(text.size());
}

// Null: there is none.
int64_t Bytes(const std::string* text) {
  return text == nullptr ? 0 : kTextBytes + Bytes(*text);
}

}  // namespace

int64_t MemoryOf(const Task& task) {
  const AcceptedSpec& spec = task.spec;
  int64_t bytes = kRecordBytes + Bytes(spec.input) + Bytes(task.output) + Bytes(spec.request_id) +
                  Bytes(task.progress_message) + Bytes(task.error) + Bytes(task.paused.get()) +
                  Bytes(task.checkpoint.get()) + Bytes(task.parent.get());
  // It stands in the index, too.
  if (spec.unique != nullptr) bytes += kUniqueBytes + 2 * Bytes(spec.unique->key);
  if (spec.limit_key != nullptr) bytes += kLimitKeyBytes + 2 * Bytes(*spec.limit_key);
  for (const auto& [key, value] : spec.labels) bytes += kLabelBytes + Bytes(key) + Bytes(value);
  for (const AttemptRecord& attempt : task.attempts) {
    bytes += static_cast<int64_t>(sizeof(attempt)) + Bytes(attempt.error);
  }
  return bytes;
}

int64_t RetainedOf(const Task& task) {
  const auto leaves = [](const std::string& payload) {
    return Bytes(payload) > kInlinePayloadBytesMax ? Bytes(payload) : 0;
  };
  const int64_t leaving = task.spec.durable ? leaves(task.spec.input) + leaves(task.output) : 0;
  return task.charged_bytes - leaving;
}

void Charge(EngineState& state, Task& task) {
  const int64_t before = std::exchange(task.charged_bytes, MemoryOf(task));
  state.task_bytes += task.charged_bytes - before;
  if (!task.settled) return;
  const int64_t retained_before = std::exchange(task.retained_bytes, RetainedOf(task));
  state.ended_bytes += task.retained_bytes - retained_before;
  if (!task.spec.durable) state.ended_volatile_bytes += task.retained_bytes - retained_before;
}

void DropPayload(EngineState& state, Task& task) {
  if (!task.spec.durable) return;
  const auto drop = [](std::string& payload, bool is_stored) {
    if (!is_stored || Bytes(payload) <= kInlinePayloadBytesMax) return;
    // An assignment of an empty string would keep the buffer.
    std::string().swap(payload);
  };
  drop(task.spec.input, task.stored);
  drop(task.output, task.settled);
  Charge(state, task);
}

void DropPayloads(EngineState& state) {
  auto& waiting = state.payloads_to_drop;
  while (!waiting.empty() && waiting.front().turn < state.turn) {
    if (Task* task = state.FindTask(waiting.front().task)) DropPayload(state, *task);
    waiting.pop_front();
  }
}

bool IsClogged(const EngineState& state) {
  return state.unconfirmed_bytes > state.limits.memory_max_bytes() / kUnconfirmedShare;
}

absl::Status CheckMemory(const EngineState& state, int64_t input_bytes) {
  const int64_t limit = state.limits.memory_max_bytes();
  const int64_t held = state.task_bytes + state.unconfirmed_bytes;
  // The input is held twice until the store has it.
  if (held + kRecordBytes + 2 * input_bytes <= limit) return absl::OkStatus();
  const std::string bound =
      StrCat("the tasks take ", held, " of ", limit, " bytes (tasks.memory_max_bytes)");
  absl::Status refusal = Refusal(absl::StatusCode::kResourceExhausted, "TASK_MEMORY_FULL", bound,
                                 {{"held_bytes", StrCat(held)}, {"max_bytes", StrCat(limit)}});
  refusal = WithQuotaFailure(std::move(refusal), "tasks", bound);
  return WithRetryAfter(std::move(refusal), kRetryAfterMs);
}

Task* LeavesEarly(const EngineState& state) {
  const int64_t limit = state.limits.memory_max_bytes();
  const int64_t held = state.task_bytes + state.unconfirmed_bytes;
  const bool is_short = held > limit - limit / kHeadroomShare;
  if (is_short && state.ended_volatile_bytes > limit / kEndedShare) {
    return state.ended_volatile.front();
  }
  // Records alone, payloads on disk.
  const int64_t durable_bytes = state.ended_bytes - state.ended_volatile_bytes;
  return durable_bytes > limit / 2 ? state.ended.front() : nullptr;
}

}  // namespace grove::tasks
