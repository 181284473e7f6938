#include "server/tasks/task_memory.h"

#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

// What malloc adds to a block, half of its granularity included.
constexpr int64_t kBlockBytes = 16;
// The record, and its places in the indices of all tasks and of its tenant's.
constexpr int64_t kRecordBytes = sizeof(Task) + kBlockBytes + 38;
constexpr int64_t kExtrasBytes = sizeof(SpecExtras) + kBlockBytes;
constexpr int64_t kPastBytes = sizeof(TaskPast) + kBlockBytes;
constexpr int64_t kLabelBytes = 2 * sizeof(std::string);
constexpr int64_t kErrorBytes = 256;
// Of a text on its own.
constexpr int64_t kTextBytes = sizeof(std::string) + kBlockBytes;
// It stands in the index of request ids, too.
constexpr int64_t kRequestIdBytes = 32;
constexpr int64_t kUniqueBytes = sizeof(UniqueKeyRule) + 128;
// Two keys may be there for this task alone.
constexpr int64_t kLimitKeyBytes = kTextBytes + 2 * (sizeof(LimitKey) + 96);
// A payload's name, and its place in the ledger.
constexpr int64_t kPayloadLinkBytes = 3 * kTextBytes + 192;
constexpr int64_t kSequenceBytes = sizeof(Sequence) + 128;
constexpr int64_t kRetryAfterMs = 1000;
// Of the budget: kept free for new tasks by what leaves early.
constexpr int64_t kHeadroomShare = 4;
// Of the budget: what may wait for the disk before links are read slowly.
constexpr int64_t kUnconfirmedShare = 4;

int64_t Bytes(const std::unique_ptr<google::rpc::Status>& error) {
  return error == nullptr ? 0 : kErrorBytes + static_cast<int64_t>(error->message().size());
}

// Short ones stand in the string itself.
constexpr int64_t kInPlace = 15;

int64_t Bytes(const std::string& text) {
  return text.size() <= kInPlace ? 0 : static_cast<int64_t>(text.size()) + kBlockBytes;
}

bool Leaves(const std::string& payload) {
  return static_cast<int64_t>(payload.size()) > kInlinePayloadBytesMax;
}

// Null: there is none.
int64_t Bytes(const std::string* text) {
  return text == nullptr ? 0 : kTextBytes + Bytes(*text);
}

int64_t Bytes(const TaskNames& names) {
  return names.MemoryBytes() + kAfterMemoryBytes * static_cast<int64_t>(names.size());
}

int64_t RelationsBytes(const Task& task) {
  int64_t bytes = 0;
  if (const SpecRelations* of = task.spec.extras().relations.get()) {
    bytes += static_cast<int64_t>(sizeof(*of)) + Bytes(of->after) + Bytes(of->webhook_url);
    // It stands in the index, too, beside the places of its members.
    if (!of->sequence.empty()) bytes += kSequenceBytes + 3 * Bytes(of->sequence);
  }
  if (const TaskRelations* of = task.relations.get()) {
    bytes += static_cast<int64_t>(sizeof(*of)) + Bytes(of->suspended_for) + Bytes(of->retry_of) +
             Bytes(of->webhook_task);
  }
  return bytes;
}

int64_t Bytes(const SpecExtras& extras) {
  int64_t bytes = kExtrasBytes + Bytes(extras.content_type) + Bytes(extras.request_id);
  if (!extras.request_id.empty()) bytes += kRequestIdBytes;
  // It stands in the index, too.
  if (extras.unique != nullptr) bytes += kUniqueBytes + 2 * Bytes(extras.unique->key);
  if (extras.input_payload != nullptr) bytes += kPayloadLinkBytes;
  if (extras.trace != nullptr) {
    bytes += Bytes(&extras.trace->parent) + Bytes(&extras.trace->state);
  }
  if (extras.limit_key != nullptr) bytes += kLimitKeyBytes + 2 * Bytes(*extras.limit_key);
  for (const auto& [key, value] : extras.labels) bytes += kLabelBytes + Bytes(key) + Bytes(value);
  return bytes + (extras.labels.empty() ? 0 : kBlockBytes);
}

int64_t Bytes(const TaskPast& past) {
  int64_t bytes = kPastBytes + Bytes(past.output) + Bytes(past.output_content_type) +
                  Bytes(past.progress_message) + Bytes(past.error) + Bytes(past.paused.get()) +
                  Bytes(past.checkpoint.get());
  if (past.output_payload != nullptr) bytes += kPayloadLinkBytes;
  for (const AttemptRecord& attempt : past.attempts) {
    bytes += static_cast<int64_t>(sizeof(attempt)) + Bytes(attempt.error);
  }
  return bytes + (past.attempts.empty() ? 0 : kBlockBytes);
}

}  // namespace

int64_t InlineInputMax(const EngineState& state) {
  return state.waiting > kInlineWaitingMax ? kInPlace : kInlinePayloadBytesMax;
}

int64_t MemoryOf(const Task& task) {
  int64_t bytes = kRecordBytes + Bytes(task.spec.input) + Bytes(task.parent.get());
  if (task.spec.rare != nullptr) bytes += Bytes(*task.spec.rare);
  if (task.happened != nullptr) bytes += Bytes(*task.happened);
  return bytes + RelationsBytes(task);
}

int64_t RetainedOf(const Task& task) {
  const auto leaves = [](const std::string& payload) {
    return Leaves(payload) ? Bytes(payload) : 0;
  };
  const int64_t leaving =
      task.spec.durable ? leaves(task.spec.input) + leaves(task.past().output) : 0;
  return task.charged_bytes - leaving;
}

void Charge(EngineState& state, Task& task) {
  const int64_t before = std::exchange(task.charged_bytes, MemoryOf(task));
  state.task_bytes += task.charged_bytes - before;
  if (!task.settled) return;
  const int64_t retained_before = std::exchange(task.Past().retained_bytes, RetainedOf(task));
  const int64_t more = task.past().retained_bytes - retained_before;
  state.ended_bytes += more;
  if (!task.spec.durable) state.ended_volatile_bytes += more;
}

void DropPayload(EngineState& state, Task& task) {
  if (!task.spec.durable) return;
  // An assignment of an empty string would keep the buffer.
  if (task.stored && task.spec.input.size() > InlineInputMax(state)) {
    if (!task.spec.extras().request_id.empty()) KeepFingerprint(state, task);
    std::string().swap(task.spec.input);
  }
  if (task.settled && Leaves(task.past().output)) std::string().swap(task.Past().output);
  Charge(state, task);
}

void DropPayloads(EngineState& state) {
  auto& waiting = state.payloads_to_drop;
  while (!waiting.empty() && waiting.front().turn < state.turn) {
    if (Task* task = state.FindTask(waiting.front().task)) {
      DropPayload(state, *task);
    }
    waiting.pop_front();
  }
}

bool IsClogged(const EngineState& state) {
  return state.unconfirmed_bytes > state.limits.memory_max_bytes() / kUnconfirmedShare;
}

int64_t HeldBytes(const EngineState& state) {
  return state.task_bytes + state.evicted_bytes + state.unconfirmed_bytes;
}

absl::Status CheckMemory(const EngineState& state, int64_t input_bytes) {
  const int64_t limit = state.limits.memory_max_bytes();
  const int64_t held = HeldBytes(state);
  // The input is held twice until the store has it.
  if (held + kRecordBytes + 2 * input_bytes <= limit) return absl::OkStatus();
  const std::string bound =
      StrCat("the tasks take ", held, " of ", limit, " bytes (tasks.memory_max_bytes)");
  absl::Status refusal = Refusal(absl::StatusCode::kResourceExhausted, "TASK_MEMORY_FULL", bound,
                                 {{"held_bytes", StrCat(held)}, {"max_bytes", StrCat(limit)}});
  refusal = WithQuotaFailure(std::move(refusal), "tasks", bound);
  return WithRetryAfter(std::move(refusal), kRetryAfterMs);
}

LeavesFirst LeavesEarly(const EngineState& state) {
  const int64_t limit = state.limits.memory_max_bytes();
  const bool is_short = HeldBytes(state) > limit - limit / kHeadroomShare;
  if (is_short && state.ended_volatile_bytes > limit / kEndedShare) return LeavesFirst::kVolatile;
  // Records alone, payloads on disk.
  const int64_t durable_bytes =
      state.ended_bytes - state.ended_volatile_bytes + state.evicted_bytes;
  return durable_bytes > limit / 2 ? LeavesFirst::kOldest : LeavesFirst::kNone;
}

}  // namespace grove::tasks
