// What the supervisor does for operations beyond starting and ending children: it enters them, and
// tells how far they are. When each begins and ends, Decide() says.
#include <string>
#include <utility>

#include "server/log.h"
#include "server/metrics/process_numbers.h"
#include "server/supervisor/supervisor.h"

namespace grove::supervisor {
namespace {

// Who asked, what for, and what came of it: the audit.
void LogOperation(const Operation& operation) {
  const std::string number = absl::StrCat(operation.number);
  const std::string_view kind = NameOf(operation.spec.kind);
  if (operation.state == OperationState::kRunning) {
    return Log(
        LogLevel::kInfo, "operation begins",
        {{"operation", number}, {"kind", kind}, {"requested_by", operation.spec.requested_by}});
  }
  if (!operation.HasEnded()) return;
  const MonotonicNanos took = operation.begun == 0 ? 0 : operation.ended - operation.begun;
  const bool failed = operation.state == OperationState::kFailed;
  Log(failed ? LogLevel::kError : LogLevel::kInfo, "operation ended",
      {{"operation", number},
       {"kind", kind},
       {"requested_by", operation.spec.requested_by},
       {"outcome", NameOf(operation.state)},
       {"message", operation.message},
       {"error", operation.error.message()},
       {"took_ms", took / 1'000'000}});
}

// Requires: it has ended.
void CountEnd(const Operation& operation, metrics::OperationCounts& counts) {
  const size_t outcome =
      static_cast<size_t>(operation.state) - static_cast<size_t>(OperationState::kSucceeded);
  counts.ended[static_cast<size_t>(operation.spec.kind)][outcome].fetch_add(
      1, std::memory_order_relaxed);
}

}  // namespace

absl::StatusOr<int64_t> Supervisor::Ask(OperationSpec spec, MonotonicNanos now) {
  const std::string kind(NameOf(spec.kind));
  const std::string requested_by = spec.requested_by;
  absl::StatusOr<int64_t> number = AskFor(state_, std::move(spec), now);
  if (!number.ok()) {
    Log(LogLevel::kWarning, "operation refused",
        {{"kind", kind}, {"requested_by", requested_by}, {"error", number.status().message()}});
  }
  return number;
}

void Supervisor::LookAtLoads(MonotonicNanos now) {
  const RecycleBounds& bounds = state_.recycle;
  // Each time another one first: it is the first at a bound that is replaced, and those in front
  // may be at it again before the last has had its turn.
  first_load_ = (first_load_ + 1) % state_.workers();
  for (int i = 0; i < state_.workers(); ++i) {
    const int worker = (first_load_ + i) % state_.workers();
    const metrics::WorkerCounters& live = scoreboard_.slot(worker).live;
    int64_t requests = static_cast<int64_t>(live.attempts_started.load(std::memory_order_relaxed));
    for (const auto& each : live.http_responses) {
      if (bounds.requests == 0) break;
      requests += static_cast<int64_t>(each.load(std::memory_order_relaxed));
    }
    const int64_t rss =
        bounds.rss_bytes == 0 ? 0 : metrics::ResidentBytes(state_.children[worker].pid);
    Handle(LoadSeen{.worker = worker, .requests = requests, .rss_bytes = rss, .now = now}, now);
  }
}

void Supervisor::TellOperations(MonotonicNanos now) {
  const std::vector<OperationChange> changes = state_.operations.TakeChanges();
  for (const OperationChange& change : changes) {
    const Operation* operation = state_.operations.Find(change.number);
    if (operation == nullptr || !change.new_state) continue;
    // Who reads that it has ended finds what has come of it.
    if (operation->HasEnded()) {
      CountEnd(*operation, scoreboard_.control().operations);
      EndReload(*operation);
    }
    LogOperation(*operation);
    TellServiceManager(*operation, now);
  }
  TellControl(changes);
}

// Also of one that began and ended meanwhile: who asked for it waits for both. An upgrade is a
// reload to whoever waits.
void Supervisor::TellServiceManager(const Operation& operation, MonotonicNanos now) {
  const OperationKind kind = operation.spec.kind;
  if (kind != OperationKind::kReload && kind != OperationKind::kUpgrade) return;
  if (!state_.announced || state_.stopping) return;
  if (operation.begun != 0) {
    service_notice_.Reloading(kind == OperationKind::kReload ? "reloading" : "upgrading", now);
  }
  if (operation.HasEnded() && state_.operations.FindOpen(OperationKind::kReload) == nullptr &&
      state_.operations.FindOpen(OperationKind::kUpgrade) == nullptr) {
    SayServing();
  }
}

void Supervisor::SayServing() {
  service_notice_.Serving(absl::StrCat("serving with ", state_.workers(), " workers"));
}

}  // namespace grove::supervisor
