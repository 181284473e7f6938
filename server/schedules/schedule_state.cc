// A time is taken by moving seen_us_ over it, and has one outcome. Those that wait for something
// (RETRYING, BUFFERED; one of each at most) stand among the recent runs, so that a successor finds
// them there. Between Advance() and Spawned() the task may be on disk while no run says so: what is
// stored meanwhile leaves the time open, and who takes it again spawns with the same request_id.
#include "server/schedules/schedule_state.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"

namespace grove::schedules {
namespace {

using proto::SetMicros;
using proto::ToMicros;
using v1::Schedule;
using v1::ScheduleRun;

constexpr WallMicros kNever = std::numeric_limits<int64_t>::max();
constexpr std::string_view kStatePrefix = "TASK_STATE_";

// FNV-1a: the same in every process.
uint64_t SeedOf(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

bool IsPending(const ScheduleRun& run) {
  return run.outcome() == ScheduleRun::OUTCOME_BUFFERED ||
         run.outcome() == ScheduleRun::OUTCOME_RETRYING;
}

bool HasFailed(v1::TaskState state) {
  return state == v1::TASK_STATE_FAILED || state == v1::TASK_STATE_TIMED_OUT;
}

}  // namespace

ScheduleState::ScheduleState(std::string name, Schedule schedule, WallMicros seen_us)
    : name_(std::move(name)),
      seed_(SeedOf(name_)),
      schedule_(std::move(schedule)),
      seen_us_(seen_us) {
  auto times = RunTimes::Create(schedule_);
  times_status_ = times.status();
  if (times.ok()) times_ = *std::move(times);
}

// --- What is due ---------------------------------------------------------------------------------

std::optional<WallMicros> ScheduleState::Advance(WallMicros now_us) {
  if (is_spawning() || is_paused()) return std::nullopt;
  if (ScheduleRun* retried = FindRun(ScheduleRun::OUTCOME_RETRYING)) {
    const auto again = Retry(*retried, now_us);
    if (again || FindRun(ScheduleRun::OUTCOME_RETRYING) != nullptr) return again;
  }
  if (!has_runs_left()) return std::nullopt;
  const ScheduleRun* buffered = FindRun(ScheduleRun::OUTCOME_BUFFERED);
  if (buffered != nullptr && schedule_.running_tasks().empty()) {
    return Spawning(ToMicros(buffered->due_time()));
  }
  while (const auto due = TakeDue(now_us)) {
    if (!MayOverlap(*due, now_us)) continue;
    spawning_is_new_ = true;
    return Spawning(*due);
  }
  return std::nullopt;
}

std::optional<WallMicros> ScheduleState::Spawning(WallMicros due_us) {
  spawning_us_ = due_us;
  return due_us;
}

std::optional<WallMicros> ScheduleState::Retry(ScheduleRun& run, WallMicros now_us) {
  if (now_us >= GiveUpAt(run)) {
    Settle(run, ScheduleRun::OUTCOME_REFUSED, now_us);
    return std::nullopt;
  }
  const int64_t left_us = ToMicros(run.next_try_time()) - now_us;
  // One that is too far ahead was set by a clock that has been set back since.
  if (left_us > 0 && left_us <= kRetryMaxUs) return std::nullopt;
  return Spawning(ToMicros(run.due_time()));
}

WallMicros ScheduleState::GiveUpAt(const ScheduleRun& run) const {
  const WallMicros first_try_us = ToMicros(run.outcome_time());
  const auto next = times_.NextAfter(std::max(ToMicros(run.due_time()), first_try_us));
  const WallMicros end_us = first_try_us + catchup_us();
  return next ? std::min(end_us, StartOf(*next)) : end_us;
}

std::optional<WallMicros> ScheduleState::TakeDue(WallMicros now_us) {
  const auto first = times_.NextAfter(seen_us_);
  if (!first || StartOf(*first) > now_us) return std::nullopt;
  return schedule_.catchup_policy() == Schedule::CATCHUP_POLICY_ALL ? TakeFirst(*first, now_us)
                                                                    : TakeLatest(*first, now_us);
}

std::optional<WallMicros> ScheduleState::TakeLatest(WallMicros first_us, WallMicros now_us) {
  WallMicros last_us = times_.LastWithin(first_us, now_us).value_or(first_us);
  // Its jitter is not over, but that of the one before is.
  if (StartOf(last_us) > now_us) {
    last_us = times_.LastWithin(first_us, last_us - 1).value_or(first_us);
  }
  const bool is_late = now_us - StartOf(last_us) > catchup_us();
  const int64_t before = times_.CountWithin(seen_us_, last_us - 1, kMissedCountMax);
  if (before > 0 || is_late) Miss(first_us, before + (is_late ? 1 : 0), now_us);
  seen_us_ = last_us;
  if (is_late) return std::nullopt;
  return last_us;
}

std::optional<WallMicros> ScheduleState::TakeFirst(WallMicros first_us, WallMicros now_us) {
  const WallMicros oldest_us = now_us - catchup_us();
  if (StartOf(first_us) < oldest_us) {
    WallMicros last_us = times_.LastWithin(first_us, oldest_us).value_or(first_us);
    if (StartOf(last_us) >= oldest_us) {
      last_us = times_.LastWithin(first_us, last_us - 1).value_or(first_us);
    }
    Miss(first_us, times_.CountWithin(seen_us_, last_us, kMissedCountMax), now_us);
    seen_us_ = last_us;
    return TakeDue(now_us);
  }
  seen_us_ = first_us;
  return first_us;
}

bool ScheduleState::MayOverlap(WallMicros due_us, WallMicros now_us) {
  const int running = schedule_.running_tasks_size();
  if (running == 0) return true;
  switch (schedule_.overlap_policy()) {
    case Schedule::OVERLAP_POLICY_ALLOW:
    case Schedule::OVERLAP_POLICY_CANCEL_RUNNING:
      if (running < kRunningTasksMax) return true;
      break;
    case Schedule::OVERLAP_POLICY_BUFFER_ONE:
      if (FindRun(ScheduleRun::OUTCOME_BUFFERED) != nullptr) break;
      AddRun(due_us, ScheduleRun::OUTCOME_BUFFERED, now_us);
      return false;
    default:
      break;
  }
  AddRun(due_us, ScheduleRun::OUTCOME_SKIPPED, now_us);
  schedule_.set_skipped_total(schedule_.skipped_total() + 1);
  return false;
}

int64_t ScheduleState::catchup_us() const {
  return schedule_.has_catchup_window() ? ToMicros(schedule_.catchup_window()) : kCatchupDefaultUs;
}

// --- The account ---------------------------------------------------------------------------------

ScheduleRun& ScheduleState::AddRun(WallMicros due_us, Outcome outcome, WallMicros now_us) {
  auto& runs = *schedule_.mutable_recent_runs();
  if (runs.size() == kRecentRunsMax) {
    int oldest = runs.size() - 1;
    while (oldest > 0 && IsPending(runs[oldest])) --oldest;
    runs.DeleteSubrange(oldest, 1);
  }
  ScheduleRun& run = *runs.Add();
  SetMicros(due_us, run.mutable_due_time());
  run.set_outcome(outcome);
  SetMicros(now_us, run.mutable_outcome_time());
  run.set_times(1);
  for (int i = runs.size() - 1; i > 0; --i) runs.SwapElements(i, i - 1);
  ++changes_;
  return runs[0];
}

void ScheduleState::Miss(WallMicros first_us, int64_t times, WallMicros now_us) {
  AddRun(first_us, ScheduleRun::OUTCOME_MISSED, now_us).set_times(times);
  schedule_.set_missed_total(schedule_.missed_total() + times);
}

void ScheduleState::Settle(ScheduleRun& run, Outcome outcome, WallMicros now_us) {
  run.set_outcome(outcome);
  SetMicros(now_us, run.mutable_outcome_time());
  run.clear_next_try_time();
  if (outcome == ScheduleRun::OUTCOME_REFUSED) {
    schedule_.set_refused_total(schedule_.refused_total() + 1);
  } else if (outcome == ScheduleRun::OUTCOME_SKIPPED) {
    schedule_.set_skipped_total(schedule_.skipped_total() + 1);
  }
  tries_ = 0;
  ++changes_;
}

ScheduleRun* ScheduleState::FindRun(Outcome outcome) {
  for (ScheduleRun& run : *schedule_.mutable_recent_runs()) {
    if (run.outcome() == outcome) return &run;
  }
  return nullptr;
}

ScheduleRun* ScheduleState::FindPending(WallMicros due_us) {
  for (ScheduleRun& run : *schedule_.mutable_recent_runs()) {
    if (IsPending(run) && ToMicros(run.due_time()) == due_us) return &run;
  }
  return nullptr;
}

void ScheduleState::AddRunning(std::string_view task) {
  auto& running = *schedule_.mutable_running_tasks();
  if (std::find(running.begin(), running.end(), task) != running.end()) return;
  // By hand there may be more: the eldest is not watched any more.
  if (running.size() == kRunningTasksMax) running.DeleteSubrange(0, 1);
  *running.Add() = std::string(task);
}

// --- Events --------------------------------------------------------------------------------------

std::vector<std::string> ScheduleState::Spawned(WallMicros due_us, std::string_view task,
                                                WallMicros now_us) {
  spawning_us_.reset();
  spawning_is_new_ = false;
  seen_us_ = std::max(seen_us_, due_us);
  std::vector<std::string> to_cancel;
  if (schedule_.overlap_policy() == Schedule::OVERLAP_POLICY_CANCEL_RUNNING) {
    for (const std::string& running : schedule_.running_tasks()) {
      if (running != task) to_cancel.push_back(running);
    }
  }
  ScheduleRun* run = FindPending(due_us);
  if (run == nullptr) run = &AddRun(due_us, ScheduleRun::OUTCOME_SPAWNED, now_us);
  Settle(*run, ScheduleRun::OUTCOME_SPAWNED, now_us);
  run->clear_error();
  run->set_task(std::string(task));
  schedule_.set_spawned_total(schedule_.spawned_total() + 1);
  if (schedule_.has_remaining_runs()) {
    schedule_.set_remaining_runs(std::max<int64_t>(0, schedule_.remaining_runs() - 1));
  }
  AddRunning(task);
  return to_cancel;
}

void ScheduleState::Refused(WallMicros due_us, const google::rpc::Status& why, WallMicros now_us) {
  spawning_us_.reset();
  spawning_is_new_ = false;
  ScheduleRun* run = FindPending(due_us);
  if (run == nullptr) run = &AddRun(due_us, ScheduleRun::OUTCOME_RETRYING, now_us);
  if (run->outcome() == ScheduleRun::OUTCOME_BUFFERED) {
    Settle(*run, ScheduleRun::OUTCOME_RETRYING, now_us);
  }
  *run->mutable_error() = why;
  if (is_paused()) return Settle(*run, ScheduleRun::OUTCOME_REFUSED, now_us);
  const int64_t pause_us = std::min(kRetryMaxUs, kRetryMinUs << std::min(tries_, 10));
  ++tries_;
  SetMicros(now_us + pause_us, run->mutable_next_try_time());
  ++changes_;
}

void ScheduleState::SpawnedByHand(std::string_view task, WallMicros now_us) {
  for (const ScheduleRun& run : schedule_.recent_runs()) {
    if (run.manual() && run.task() == task) return;
  }
  ScheduleRun& run = AddRun(now_us, ScheduleRun::OUTCOME_SPAWNED, now_us);
  run.set_task(std::string(task));
  run.set_manual(true);
  schedule_.set_spawned_total(schedule_.spawned_total() + 1);
  AddRunning(task);
}

void ScheduleState::Ended(std::string_view task, v1::TaskState state, WallMicros now_us) {
  auto& running = *schedule_.mutable_running_tasks();
  const auto found = std::find(running.begin(), running.end(), task);
  if (found == running.end()) return;
  running.DeleteSubrange(static_cast<int>(found - running.begin()), 1);
  ++changes_;
  bool by_hand = false;
  for (ScheduleRun& run : *schedule_.mutable_recent_runs()) {
    if (run.task() != task) continue;
    run.set_task_state(state);
    by_hand = run.manual();
  }
  if (!HasFailed(state)) return;
  schedule_.set_failed_total(schedule_.failed_total() + 1);
  if (!schedule_.pause_on_failure() || by_hand || is_paused()) return;
  const std::string ended = v1::TaskState_Name(state).substr(kStatePrefix.size());
  Pause(StrCat(task, " has ", ended == "FAILED" ? "failed" : "timed out"), now_us);
}

void ScheduleState::DropPending(WallMicros now_us) {
  for (ScheduleRun& run : *schedule_.mutable_recent_runs()) {
    // How the one that is being spawned went will be told.
    if (!IsPending(run) || ToMicros(run.due_time()) == spawning_us_) continue;
    Settle(run,
           run.outcome() == ScheduleRun::OUTCOME_BUFFERED ? ScheduleRun::OUTCOME_SKIPPED
                                                          : ScheduleRun::OUTCOME_REFUSED,
           now_us);
  }
}

void ScheduleState::Pause(std::string_view reason, WallMicros now_us) {
  schedule_.set_state(Schedule::STATE_PAUSED);
  schedule_.set_pause_reason(std::string(reason));
  OwnPause(false);
  DropPending(now_us);
  ++changes_;
}

void ScheduleState::Resume(WallMicros now_us) {
  if (!is_paused()) return;
  schedule_.set_state(Schedule::STATE_ACTIVE);
  schedule_.clear_pause_reason();
  OwnPause(false);
  seen_us_ = std::max(seen_us_, now_us);
  ++changes_;
}

void ScheduleState::OwnPause(bool by_withdrawal) {
  if (!schedule_.has_declaration()) return;
  schedule_.mutable_declaration()->set_paused_by_withdrawal(by_withdrawal);
}

void ScheduleState::Declare(std::string_view program, WallMicros now_us) {
  if (schedule_.declaration().paused_by_withdrawal()) Resume(now_us);
  v1::ScheduleDeclaration& declaration = *schedule_.mutable_declaration();
  declaration.set_program(std::string(program));
  SetMicros(now_us, declaration.mutable_declare_time());
  declaration.clear_withdraw_time();
  ++changes_;
}

void ScheduleState::Withdraw(WallMicros now_us) {
  SetMicros(now_us, schedule_.mutable_declaration()->mutable_withdraw_time());
  ++changes_;
  if (is_paused()) return;
  Pause(StrCat("the code of ", schedule_.declaration().program(), " has it no more"), now_us);
  OwnPause(true);
}

void ScheduleState::Stamp(WallMicros now_us) {
  int64_t version = 0;
  if (!SimpleAtoi(schedule_.etag(), &version)) version = 0;
  schedule_.set_etag(StrCat(version + 1));
  SetMicros(now_us, schedule_.mutable_update_time());
}

void ScheduleState::Update(const Schedule& settings, RunTimes times, WallMicros now_us) {
  DropPending(now_us);
  Schedule updated = settings;
  updated.MergeFrom(Runs());
  *updated.mutable_create_time() = schedule_.create_time();
  *updated.mutable_update_time() = schedule_.update_time();
  updated.set_etag(schedule_.etag());
  if (settings.has_remaining_runs()) {
    updated.set_remaining_runs(settings.remaining_runs());
  } else {
    updated.clear_remaining_runs();
  }
  schedule_ = std::move(updated);
  times_ = std::move(times);
  times_status_ = absl::OkStatus();
  upcoming_.clear();
  // Begins anew: also where a wrong clock had it wait for years.
  seen_us_ = now_us;
  spawning_is_new_ = false;
  ++changes_;
}

// --- Queries -------------------------------------------------------------------------------------

WallMicros ScheduleState::NextWake() const {
  if (is_spawning() || is_paused()) return kNever;
  for (const ScheduleRun& run : schedule_.recent_runs()) {
    if (run.outcome() != ScheduleRun::OUTCOME_RETRYING) continue;
    return std::min(ToMicros(run.next_try_time()), GiveUpAt(run));
  }
  if (!has_runs_left()) return kNever;
  const auto next = times_.NextAfter(seen_us_);
  return next ? StartOf(*next) : kNever;
}

const std::vector<WallMicros>& ScheduleState::Upcoming(WallMicros after_us) const {
  if (after_us < upcoming_after_us_) upcoming_.clear();
  upcoming_after_us_ = after_us;
  std::erase_if(upcoming_, [&](WallMicros time) { return time <= after_us; });
  while (upcoming_.size() < kNextRunsShown) {
    const auto next = times_.NextAfter(upcoming_.empty() ? after_us : upcoming_.back());
    if (!next) break;
    upcoming_.push_back(*next);
  }
  return upcoming_;
}

Schedule ScheduleState::View(WallMicros now_us) const {
  Schedule view = schedule_;
  view.set_name(name_);
  const int64_t shown = view.has_remaining_runs() ? view.remaining_runs() : kNextRunsShown;
  for (const WallMicros next : Upcoming(is_paused() ? now_us : std::max(seen_us_, now_us))) {
    if (view.next_run_times_size() < shown) SetMicros(next, view.add_next_run_times());
  }
  const bool any_pending = std::any_of(view.recent_runs().begin(), view.recent_runs().end(),
                                       [](const ScheduleRun& run) { return IsPending(run); });
  if (!is_paused()) {
    const bool has_ended = view.next_run_times().empty() && !any_pending && !is_spawning();
    view.set_state(has_ended ? Schedule::STATE_ENDED : Schedule::STATE_ACTIVE);
  }
  return view;
}

Schedule ScheduleState::Settings() const {
  Schedule settings = schedule_;
  settings.clear_remaining_runs();
  settings.clear_state();
  settings.clear_pause_reason();
  settings.clear_recent_runs();
  settings.clear_running_tasks();
  settings.clear_spawned_total();
  settings.clear_skipped_total();
  settings.clear_missed_total();
  settings.clear_refused_total();
  settings.clear_failed_total();
  settings.clear_declaration();
  return settings;
}

Schedule ScheduleState::Runs() const {
  Schedule runs;
  if (schedule_.has_remaining_runs()) runs.set_remaining_runs(schedule_.remaining_runs());
  runs.set_state(schedule_.state());
  runs.set_pause_reason(schedule_.pause_reason());
  *runs.mutable_recent_runs() = schedule_.recent_runs();
  *runs.mutable_running_tasks() = schedule_.running_tasks();
  runs.set_spawned_total(schedule_.spawned_total());
  runs.set_skipped_total(schedule_.skipped_total());
  runs.set_missed_total(schedule_.missed_total());
  runs.set_refused_total(schedule_.refused_total());
  runs.set_failed_total(schedule_.failed_total());
  if (schedule_.has_declaration()) *runs.mutable_declaration() = schedule_.declaration();
  return runs;
}

WallMicros ScheduleState::stored_seen_us() const {
  return is_spawning() && spawning_is_new_ ? *spawning_us_ - 1 : seen_us_;
}

}  // namespace grove::schedules
