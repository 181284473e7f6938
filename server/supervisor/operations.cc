#include "server/supervisor/operations.h"

#include <algorithm>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/metrics/operation_counts.h"
#include "server/refusal.h"

namespace grove::supervisor {
namespace {

// Whether it starts, replaces or ends processes, as only one at a time may.
bool RunsAlone(OperationKind kind) {
  return kind != OperationKind::kDrain && kind != OperationKind::kSetLogLevel;
}

bool Runs(const Operation& operation) {
  return operation.state == OperationState::kRunning;
}

}  // namespace

std::string_view NameOf(OperationKind kind) {
  return metrics::kOperationKinds[static_cast<size_t>(kind)];
}

std::string_view NameOf(OperationState state) {
  constexpr std::string_view kNames[] = {"waiting", "running", "succeeded", "failed", "superseded"};
  return kNames[static_cast<size_t>(state)];
}

absl::StatusOr<int64_t> Operations::Add(OperationSpec spec) {
  const auto waiting = std::count_if(all_.begin(), all_.end(), [](const Operation& each) {
    return each.state == OperationState::kWaiting;
  });
  if (waiting >= kWaitingMax) {
    return Refusal(
        absl::StatusCode::kResourceExhausted, "TOO_MANY_OPERATIONS",
        StrCat(kWaitingMax, " operations wait already; let them end, or stop asking for more"));
  }
  all_.push_back({.number = next_number_++,
                  .spec = std::move(spec),
                  .message = "waits for the one under way",
                  .error = absl::OkStatus()});
  Note(all_.back(), /*new_state=*/true);
  return all_.back().number;
}

void Operations::Restore(Operation operation) {
  next_number_ = std::max(next_number_, operation.number + 1);
  all_.push_back(std::move(operation));
}

Operation* Operations::NextToBegin() {
  const auto busy = std::find_if(all_.begin(), all_.end(), [](const Operation& each) {
    return Runs(each) && RunsAlone(each.spec.kind);
  });
  bool alone = busy == all_.end();
  const bool reloads = !alone && busy->spec.kind == OperationKind::kReload;
  for (Operation& each : all_) {
    if (each.state != OperationState::kWaiting) continue;
    if (!RunsAlone(each.spec.kind) || alone) return &each;
    if (reloads && each.spec.kind == OperationKind::kReload) return &each;
    // Those behind it wait for this one too.
    alone = false;
  }
  return nullptr;
}

Operation* Operations::Find(int64_t number) {
  const auto found = std::find_if(all_.begin(), all_.end(),
                                  [&](const Operation& each) { return each.number == number; });
  return found == all_.end() ? nullptr : &*found;
}

Operation* Operations::FindOpen(OperationKind kind) {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const Operation& each) {
    return each.spec.kind == kind && !each.HasEnded();
  });
  return found == all_.end() ? nullptr : &*found;
}

void Operations::Begin(Operation& operation, MonotonicNanos now) {
  operation.state = OperationState::kRunning;
  operation.begun = now;
  operation.message.clear();
  Note(operation, /*new_state=*/true);
}

void Operations::Progress(Operation& operation, int done, int steps, std::string message) {
  if (operation.steps_done == done && operation.steps == steps && operation.message == message) {
    return;
  }
  operation.steps_done = done;
  operation.steps = steps;
  operation.message = std::move(message);
  Note(operation, /*new_state=*/false);
}

void Operations::Succeed(Operation& operation, std::string message, MonotonicNanos now) {
  operation.steps_done = operation.steps;
  End(operation, OperationState::kSucceeded, std::move(message), now);
}

void Operations::Fail(Operation& operation, absl::Status error, std::string message,
                      MonotonicNanos now) {
  operation.error = std::move(error);
  End(operation, OperationState::kFailed, std::move(message), now);
}

void Operations::Supersede(Operation& operation, std::string message, MonotonicNanos now) {
  End(operation, OperationState::kSuperseded, std::move(message), now);
}

void Operations::SupersedeAll(int64_t spared, const std::string& message, MonotonicNanos now) {
  std::vector<int64_t> open;
  for (const Operation& each : all_) {
    if (!each.HasEnded() && each.number != spared) open.push_back(each.number);
  }
  for (const int64_t number : open) {
    if (Operation* each = Find(number)) Supersede(*each, message, now);
  }
}

std::vector<OperationChange> Operations::TakeChanges() {
  return std::exchange(changes_, {});
}

void Operations::Note(const Operation& operation, bool new_state) {
  for (OperationChange& each : changes_) {
    if (each.number != operation.number) continue;
    each.new_state = each.new_state || new_state;
    return;
  }
  changes_.push_back({operation.number, new_state});
}

void Operations::End(Operation& operation, OperationState state, std::string message,
                     MonotonicNanos now) {
  operation.state = state;
  operation.message = std::move(message);
  operation.ended = now;
  Note(operation, /*new_state=*/true);
  ForgetOldest();
}

// By their numbers: who asked first is forgotten first.
void Operations::ForgetOldest() {
  const auto ended = [](const Operation& each) { return each.HasEnded(); };
  if (std::count_if(all_.begin(), all_.end(), ended) <= kEndedMax) return;
  all_.erase(std::find_if(all_.begin(), all_.end(), ended));
}

}  // namespace grove::supervisor
