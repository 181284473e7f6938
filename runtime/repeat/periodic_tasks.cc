#include "runtime/repeat/periodic_tasks.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/repeat/grid.h"

namespace grove {

struct PeriodicTasks::Entry {
  std::string name;
  Body body;
  Grid grid;
  absl::Duration spacing;
  MonotonicNanos due = kNever;  // a point of the grid and its jitter
  bool running = false;
  uint64_t runs = 0;
  uint64_t failures = 0;

  // Due at the first point of the grid after `now`, delayed by `random` of the jitter.
  void DueAfter(MonotonicNanos now, double random) {
    due = DeadlineAfter(grid.After(now), spacing * (kJitterMax * random));
  }
};

struct PeriodicTasks::State {
  enum class OnFailure { kGoOn, kStop };

  Random random;
  Report report;
  std::vector<std::shared_ptr<Entry>> entries;

  absl::Status Add(PeriodicTaskOptions options, Body body);
  absl::StatusOr<absl::Duration> RunDue(OnFailure on_failure);
  absl::Status RunOne(Entry& entry);
  absl::Duration Idle() const;
};

absl::Status PeriodicTasks::State::Add(PeriodicTaskOptions options, Body body) {
  if (options.name.empty() || body == nullptr) {
    return absl::InvalidArgumentError("a periodic task needs a name and a body");
  }
  for (const auto& entry : entries) {
    if (entry->name == options.name) {
      return absl::AlreadyExistsError(
          absl::StrFormat("a periodic task \"%s\" was added already", options.name));
    }
  }
  const bool enabled = options.mode == PeriodicTaskOptions::Mode::kEnabled &&
                       options.spacing >= absl::ZeroDuration();
  const absl::Duration spacing = options.spacing > absl::ZeroDuration()
                                     ? std::max(options.spacing, absl::Nanoseconds(1))
                                     : kDefaultSpacing;
  const MonotonicNanos now = Hub::Current()->now();
  auto entry = std::make_shared<Entry>(
      Entry{std::move(options.name), std::move(body), Grid(now, spacing), spacing});
  if (enabled && options.first == PeriodicTaskOptions::First::kImmediately) {
    entry->due = now;
  } else if (enabled) {
    entry->DueAfter(now, random());
  }
  entries.push_back(std::move(entry));
  return absl::OkStatus();
}

// On a fiber of its own, whose entry catches whatever is thrown, and whose end is waited for also
// if this one is cancelled.
absl::Status PeriodicTasks::State::RunOne(Entry& entry) {
  Hub& hub = *Hub::Current();
  entry.running = true;
  ++entry.runs;
  FiberGroup group;
  absl::StatusOr<FiberHandle> fiber =
      group.Spawn({.name = entry.name}, [&entry] { return entry.body(); });
  absl::Status result = fiber.ok() ? group.Join() : fiber.status();
  entry.running = false;
  entry.DueAfter(hub.ReadClock(), random());
  if (result.ok()) return result;
  ++entry.failures;
  if (hub.interruption() != Wake::kReady) return result;
  if (report) {
    report(entry.name, result);
  } else {
    absl::FPrintF(stderr, "grove: periodic task \"%s\" failed: %s\n", entry.name,
                  result.ToString());
  }
  return result;
}

absl::StatusOr<absl::Duration> PeriodicTasks::State::RunDue(OnFailure on_failure) {
  Hub& hub = *Hub::Current();
  // By index: a task may add tasks.
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::shared_ptr<Entry> entry = entries[i];
    if (entry->running || entry->due > hub.now()) continue;
    const absl::Status result = RunOne(*entry);
    if (!result.ok() && (on_failure == OnFailure::kStop || hub.interruption() != Wake::kReady))
      return result;
  }
  return Idle();
}

absl::Duration PeriodicTasks::State::Idle() const {
  MonotonicNanos next = kNever;
  for (const auto& entry : entries) {
    if (!entry->running) next = std::min(next, entry->due);
  }
  const absl::Duration left =
      absl::Nanoseconds(next) - absl::Nanoseconds(Hub::Current()->ReadClock());
  return std::clamp(left, absl::ZeroDuration(), kIdleMax);
}

PeriodicTasks::PeriodicTasks(Random random, Report report)
    : state_(std::make_shared<State>(State{std::move(random), std::move(report), {}})),
      loop_(LoopingCall::DynamicInterval(
          kIdleMax,
          [state = state_]() -> absl::StatusOr<std::optional<absl::Duration>> {
            absl::StatusOr<absl::Duration> idle = state->RunDue(State::OnFailure::kGoOn);
            if (!idle.ok()) return idle.status();
            return std::optional<absl::Duration>(*idle);
          },
          {.name = "periodic tasks"})) {
  GROVE_CHECK(state_->random != nullptr, "PeriodicTasks need randomness for their jitter");
}

PeriodicTasks::~PeriodicTasks() = default;

absl::Status PeriodicTasks::Add(PeriodicTaskOptions options, Body body) {
  return state_->Add(std::move(options), std::move(body));
}

absl::Duration PeriodicTasks::RunDue() {
  absl::StatusOr<absl::Duration> idle = state_->RunDue(State::OnFailure::kGoOn);
  return idle.ok() ? *idle : state_->Idle();
}

absl::Status PeriodicTasks::RunDueOrFail() {
  return state_->RunDue(State::OnFailure::kStop).status();
}

std::vector<PeriodicTasks::Task> PeriodicTasks::tasks() const {
  std::vector<Task> tasks;
  for (const auto& entry : state_->entries) {
    tasks.push_back({entry->name, entry->runs, entry->failures, entry->due});
  }
  return tasks;
}

}  // namespace grove
