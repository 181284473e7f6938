// Every event of a state (a time, a spawn that is safe, a task's end, a call's change) ends in
// Follow(), which counts, stores and re-arms. A change that a call makes is written first: the
// state is copied, changed and written while the schedule is held, and then the same is done to
// the state itself, which may have seen ends of tasks meanwhile.
#include "server/control/live_schedules.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

#include "google/rpc/error_details.pb.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/rpc_status.h"
#include "server/log.h"
#include "server/schedules/schedule_settings.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using schedules::ScheduleChange;

constexpr int64_t kRetryAfterMs = 10'000;

const std::string& PayloadOf(const schedules::ScheduleState& state) {
  return state.schedule().spec().input_payload();
}

std::string NameOf(const schedules::ScheduleKey& key) {
  return tenancy::FormatScheduleName(key.first, key.second);
}

absl::Status AsRefusal(const absl::Status& failure) {
  if (failure.ok()) return failure;
  Log(LogLevel::kError, "a change of a schedule cannot be stored", {{"error", failure.message()}});
  const bool full = absl::IsResourceExhausted(failure);
  return tasks::WithRetryAfter(
      tasks::Refusal(full ? failure.code() : absl::StatusCode::kUnavailable,
                     full ? "STORE_FULL" : "STORE_UNAVAILABLE",
                     StrCat("the change cannot be stored: ", failure.message())),
      kRetryAfterMs);
}

// The task that has the request_id already, where a refusal says that one of other input has.
std::string TaskOfReused(const absl::Status& refusal) {
  if (tasks::RefusalReason(refusal) != "REQUEST_ID_REUSED") return "";
  google::rpc::ErrorInfo info;
  const auto payload = refusal.GetPayload(Abseil(tasks::kErrorInfoType));
  if (!payload || !info.ParseFromString(std::string(*payload))) return "";
  return info.metadata().at("task");
}

}  // namespace

struct LiveSchedules::Totals {
  explicit Totals(const State& state)
      : counts{state.schedule().spawned_total(), state.schedule().skipped_total(),
               state.schedule().missed_total(), state.schedule().refused_total()},
        changes(state.changes()) {}

  ScheduleCounts counts;
  uint64_t changes;
};

std::string RequestIdOf(std::string_view schedule, WallMicros due_us) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(due_us), absl::UTCTimeZone());
  return StrCat("schedule:", schedule, ":", time);
}

LiveSchedules::LiveSchedules(Hub& hub, const tenancy::Directory& directory, EngineDriver& driver,
                             schedules::ScheduleStore& store, metrics::SharedSeries& series,
                             WallClock wall)
    : hub_(hub),
      directory_(directory),
      driver_(driver),
      store_(store),
      tally_(series),
      wall_(std::move(wall)) {
  clock_offset_us_ = wall_() - hub_.ReadClock() / 1000;
}

void LiveSchedules::Restore(std::vector<schedules::StoredSchedule> stored) {
  for (schedules::StoredSchedule& each : stored) {
    // Also of a tenant that is not there: it may come back.
    HoldPayload(each.settings.spec().input_payload());
    if (!directory_.FindTenant(each.key.first)) {
      Log(LogLevel::kWarning, "a schedule of a tenant that is not there stays in the store",
          {{"schedule", NameOf(each.key)}});
      continue;
    }
    each.settings.MergeFrom(each.runs);
    const State& state =
        book_.Put(each.key, State(NameOf(each.key), std::move(each.settings), each.seen_us));
    if (state.times_status().ok()) continue;
    Log(LogLevel::kError, "a schedule does not run any more",
        {{"schedule", state.name()}, {"error", state.times_status().message()}});
  }
}

// --- Runs ----------------------------------------------------------------------------------------

absl::Status LiveSchedules::Run() {
  for (const Key& key : book_.KeysOf("")) {
    State& state = *book_.Find(key);
    AdoptUnnoted(key, state);
    const auto running = state.schedule().running_tasks();
    for (const std::string& task : running) Watch(key, task);
    Yield();
  }
  for (;;) {
    if (std::exchange(clock_was_set_, false)) LookAtAll();
    LookAtDue();
    absl::Status woken;
    {
      const Timeout timeout(UntilNext());
      woken = changed_.Wait();
    }
    if (absl::IsCancelled(woken)) return woken;
    changed_.Reset();
    if (!unsaved_.empty() && hub_.ReadClock() >= save_again_at_) NoteUnsaved();
  }
}

absl::Duration LiveSchedules::UntilNext() const {
  absl::Duration pause = absl::InfiniteDuration();
  const WallMicros wake_us = book_.NextWake();
  if (!driver_.draining() && wake_us != std::numeric_limits<int64_t>::max()) {
    pause = absl::Microseconds(std::max<int64_t>(0, wake_us - wall_()));
  }
  if (unsaved_.empty()) return pause;
  return std::min(pause, absl::Nanoseconds(save_again_at_ - hub_.ReadClock()));
}

void LiveSchedules::NoteUnsaved() {
  for (const Key& key : std::exchange(unsaved_, {})) {
    const State* const state = book_.Find(key);
    if (state != nullptr && !held_.contains(key)) Note(key, *state);
  }
}

void LiveSchedules::LookAtClock() {
  const int64_t offset_us = wall_() - hub_.ReadClock() / 1000;
  if (std::abs(offset_us - clock_offset_us_) <= absl::ToInt64Microseconds(kClockSlack)) return;
  clock_offset_us_ = offset_us;
  clock_was_set_ = true;
  changed_.Set();
}

void LiveSchedules::LookAtDue() {
  if (driver_.draining()) return;
  for (const Key& key : book_.Due(wall_())) {
    Step(key);
    // Each may have thousands of missed times to count.
    Yield();
  }
}

void LiveSchedules::LookAtAll() {
  for (const Key& key : book_.KeysOf("")) {
    Step(key);
    Yield();
  }
}

void LiveSchedules::Step(const Key& key) {
  State* const state = book_.Find(key);
  // What is left to do then comes with the change, or with the next control.
  if (state == nullptr || held_.contains(key) || driver_.draining()) return;
  const Totals before(*state);
  while (const auto due_us = state->Advance(wall_())) {
    if (!SpawnDue(key, *state, *due_us)) break;
  }
  Follow(key, *state, before);
}

absl::StatusOr<tasks::Spawned> LiveSchedules::SpawnTask(const Key& key, const State& state,
                                                        std::string_view request_id) {
  if (absl::Status open = gate_(); !open.ok()) return open;
  v1::TaskSpec spec = state.schedule().spec();
  spec.set_request_id(std::string(request_id));
  (*spec.mutable_labels())[std::string(schedules::kScheduleLabel)] = key.second;
  return driver_.Spawn(tenancy::FormatTenantName(key.first), std::move(spec));
}

bool LiveSchedules::SpawnDue(const Key& key, State& state, WallMicros due_us) {
  auto spawned = SpawnTask(key, state, RequestIdOf(key.second, due_us));
  // The next control takes the time again.
  if (driver_.draining()) return false;
  if (!spawned.ok()) {
    const std::string earlier = TaskOfReused(spawned.status());
    if (!earlier.empty()) {
      spawned = tasks::Spawned{.name = earlier};
    } else {
      if (state.schedule().recent_runs().empty() ||
          state.schedule().recent_runs(0).outcome() != v1::ScheduleRun::OUTCOME_RETRYING) {
        auditor_(
            {state.name(), key.first, state.schedule().spec().function(), "", spawned.status()});
      }
      state.Refused(due_us, ToRpcStatus(spawned.status()), wall_());
      return true;
    }
  }
  if (spawned->acknowledged) {
    // Not from here: Follow() comes behind the loop.
    hub_.Post([this, key, due_us, task = spawned->name] { Safe(key, due_us, task); });
    return false;
  }
  const auto wait = driver_.acknowledgements().Add(
      {spawned->id}, kNever, [this, key, due_us, task = spawned->name](TaskWaits::End end) {
        if (end == TaskWaits::End::kAllNotified) Safe(key, due_us, task);
      });
  if (wait.ok()) return false;
  // Tried again under the same request_id, it is there.
  state.Refused(due_us, ToRpcStatus(wait.status()), wall_());
  return true;
}

void LiveSchedules::Safe(const Key& key, WallMicros due_us, const std::string& task) {
  State* const state = book_.Find(key);
  if (state == nullptr || state->spawning_us() != due_us) return;
  const Totals before(*state);
  const WallMicros now_us = wall_();
  tally_.CountLateness(now_us - state->StartOf(due_us));
  for (const std::string& running : state->Spawned(due_us, task, now_us)) {
    driver_.Cancel(running, StrCat("its schedule's next run is due: ", state->name()))
        .IgnoreError();
  }
  auditor_({state->name(), key.first, state->schedule().spec().function(), task, {}});
  Follow(key, *state, before);
  Watch(key, task);
  Step(key);
}

void LiveSchedules::Watch(const Key& key, const std::string& task) {
  const auto id = driver_.engine().Find(task);
  if (!id.ok() || driver_.engine().IsSettled(*id)) return TaskEnded(key, task);
  const auto wait = driver_.ends().Add({*id}, kNever, [this, key, task](TaskWaits::End end) {
    if (end == TaskWaits::End::kAllNotified) TaskEnded(key, task);
  });
  // To hold its schedule for good would be worse than to let runs overlap.
  if (!wait.ok()) TaskEnded(key, task);
}

void LiveSchedules::TaskEnded(const Key& key, const std::string& task) {
  State* const state = book_.Find(key);
  if (state == nullptr) return;
  const Totals before(*state);
  v1::TaskState ended = v1::TASK_STATE_UNSPECIFIED;
  const auto id = driver_.engine().Find(task);
  if (id.ok()) ended = driver_.engine().EndOf(*id).value_or(ended);
  const bool was_paused = state->is_paused();
  state->Ended(task, ended, wall_());
  if (state->is_paused() && !was_paused) {
    Log(LogLevel::kWarning, "a schedule has paused itself",
        {{"schedule", state->name()}, {"reason", state->schedule().pause_reason()}});
  }
  Follow(key, *state, before);
  // One may have waited for it.
  Step(key);
}

void LiveSchedules::AdoptUnnoted(const Key& key, State& state) {
  const auto tenant = directory_.FindTenant(key.first);
  if (!tenant) return;
  const Totals before(state);
  const WallMicros now_us = wall_();
  WallMicros after_us = state.stored_seen_us();
  for (int i = 0; i < kUnnotedMax; ++i) {
    const auto due_us = state.times().NextAfter(after_us);
    if (!due_us || *due_us > now_us) break;
    const auto task = driver_.engine().FindRequest(*tenant, RequestIdOf(key.second, *due_us));
    if (task) {
      for (const std::string& running :
           state.Spawned(*due_us, driver_.engine().NameOf(*task), now_us)) {
        driver_.Cancel(running, StrCat("its schedule's next run is due: ", state.name()))
            .IgnoreError();
      }
    }
    after_us = *due_us;
  }
  Follow(key, state, before);
}

void LiveSchedules::Follow(const Key& key, const State& state, const Totals& before) {
  const Totals after(state);
  tally_.Count(key.first, before.counts, after.counts);
  if (held_.contains(key)) return;
  if (after.changes != before.changes) Note(key, state);
  book_.Changed(key);
  changed_.Set();
}

absl::StatusOr<std::string> LiveSchedules::RunNow(const Key& key, std::string_view request_id) {
  State* state = book_.Find(key);
  const std::string id =
      request_id.empty() ? "" : StrCat("schedule:", key.second, ":by:", request_id);
  const auto spawned = SpawnTask(key, *state, id);
  if (!spawned.ok()) return spawned.status();
  if (!spawned->acknowledged) {
    struct Waited {
      Event over;
      TaskWaits::End end = TaskWaits::End::kStopped;
    };
    const auto waited = std::make_shared<Waited>();
    const auto wait =
        driver_.acknowledgements().Add({spawned->id}, kNever, [waited](TaskWaits::End end) {
          waited->end = end;
          waited->over.Set();
        });
    if (!wait.ok()) return wait.status();
    if (absl::Status over = waited->over.Wait(); !over.ok()) return over;
    if (waited->end == TaskWaits::End::kStopped) return EngineDriver::DrainingStatus();
  }
  // It may be gone by now; the task is not.
  state = book_.Find(key);
  if (state == nullptr) return spawned->name;
  const Totals before(*state);
  state->SpawnedByHand(spawned->name, wall_());
  Follow(key, *state, before);
  Watch(key, spawned->name);
  return spawned->name;
}

// --- The store -----------------------------------------------------------------------------------

void LiveSchedules::Note(const Key& key, const State& state) {
  if (stopped_) return;
  ScheduleChange change;
  change.puts.push_back({.key = key, .runs = state.Runs(), .seen_us = state.stored_seen_us()});
  store_.Write(std::move(change), [this, key](const absl::Status& written) {
    if (written.ok()) return;
    hub_.Post([this, key, written] {
      if (unsaved_.empty()) {
        Log(LogLevel::kError, "what became of a schedule's runs cannot be stored",
            {{"schedule", NameOf(key)}, {"error", written.message()}});
      }
      unsaved_.insert(key);
      save_again_at_ = DeadlineAfter(hub_.ReadClock(), kStoreAgain);
      changed_.Set();
    });
  });
}

absl::Status LiveSchedules::Write(ScheduleChange change) {
  if (stopped_ || driver_.handed_over()) return EngineDriver::DrainingStatus();
  struct Written {
    Event done;
    absl::Status status;
  };
  const auto written = std::make_shared<Written>();
  store_.Write(std::move(change), [this, written](absl::Status status) mutable {
    hub_.Post([written, status = std::move(status)]() mutable {
      written->status = std::move(status);
      written->done.Set();
    });
  });
  if (absl::Status waited = written->done.Wait(); !waited.ok()) return waited;
  return AsRefusal(written->status);
}

void LiveSchedules::HoldPayload(const std::string& name) {
  if (payloads_ != nullptr && !name.empty()) payloads_->HoldForSchedule(name);
}

void LiveSchedules::ReleasePayload(const std::string& name) {
  if (payloads_ != nullptr && !name.empty()) payloads_->ReleaseFromSchedule(name);
}

void LiveSchedules::UndoHold(const std::string& name) {
  if (payloads_ != nullptr && !name.empty()) payloads_->UndoHoldForSchedule(name);
}

// Held before it is on disk that the schedule names it, and until it is that it does not.
absl::Status LiveSchedules::Create(const Key& key, State state) {
  const std::string payload = PayloadOf(state);
  ScheduleChange change;
  change.puts.push_back({.key = key,
                         .settings = state.Settings(),
                         .runs = state.Runs(),
                         .seen_us = state.stored_seen_us()});
  HoldPayload(payload);
  absl::Status written = Write(std::move(change));
  if (!written.ok()) {
    UndoHold(payload);
    return written;
  }
  book_.Put(key, std::move(state));
  changed_.Set();
  return absl::OkStatus();
}

absl::Status LiveSchedules::Change(const Key& key, absl::FunctionRef<void(State&)> change) {
  State after = *book_.Find(key);
  const std::string payload_before = PayloadOf(after);
  change(after);
  const std::string payload_after = PayloadOf(after);
  ScheduleChange put;
  put.puts.push_back({.key = key,
                      .settings = after.Settings(),
                      .runs = after.Runs(),
                      .seen_us = after.stored_seen_us()});
  const uint64_t seen = book_.Find(key)->changes();
  held_.insert(key);
  book_.Suspend(key);
  HoldPayload(payload_after);
  absl::Status written = Write(std::move(put));
  held_.erase(key);
  if (written.ok()) {
    ReleasePayload(payload_before);
  } else {
    UndoHold(payload_after);
  }
  State& state = *book_.Find(key);
  const bool has_moved = state.changes() != seen;
  if (written.ok()) change(state);
  if (has_moved) Note(key, state);
  book_.Changed(key);
  Step(key);
  changed_.Set();
  return written;
}

absl::Status LiveSchedules::Remove(const std::vector<Key>& keys) {
  if (keys.empty()) return absl::OkStatus();
  held_.insert(keys.begin(), keys.end());
  for (const Key& key : keys) book_.Suspend(key);
  absl::Status written = Write({.drops = keys});
  for (const Key& key : keys) {
    held_.erase(key);
    const State* const state = book_.Find(key);
    if (state == nullptr) continue;
    if (written.ok()) {
      ReleasePayload(PayloadOf(*state));
      unsaved_.erase(key);
      book_.Remove(key);
    } else {
      Note(key, *state);
      book_.Changed(key);
    }
  }
  changed_.Set();
  return written;
}

absl::Status LiveSchedules::RemoveAllOf(std::string_view tenant) {
  // Also where there is none: one may be on its way.
  const MutexLock lock(changes_);
  if (!lock.ok()) return lock.status();
  return Remove(book_.KeysOf(tenant));
}

absl::Status LiveSchedules::Stop(OffloadPool& offload) {
  stopped_ = true;
  return offload.Run([this] { store_.Stop(); });
}

}  // namespace grove::control
