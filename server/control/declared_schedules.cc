// A schedule is compared with what the code says of it, field by field, so that a start of the same
// program writes nothing; and as a call may not change what is declared (SCHEDULE_FROM_CODE), a
// difference is always the code's.
#include "server/control/declared_schedules.h"

#include <algorithm>
#include <set>
#include <utility>

#include "google/protobuf/util/message_differencer.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/sync/mutex.h"
#include "server/log.h"
#include "server/schedules/schedule_settings.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/principal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using internal::v1::DeclaredSchedule;
using internal::v1::Program;

// Sees every tenant.
tenancy::Principal WhoIs(const Program& program) {
  return {.name = StrCat("program ", program.name()), .roles = {tenancy::Role::kAdmin}};
}

std::string NameOf(const schedules::ScheduleKey& key) {
  return tenancy::FormatScheduleName(key.first, key.second);
}

}  // namespace

void DeclaredSchedules::TakeProgram(int32_t worker, Program* program) {
  if (program == nullptr) {
    choice_.Unlinked(worker, hub_.ReadClock());
  } else {
    choice_.Linked(worker, std::move(*program), hub_.ReadClock());
  }
  changed_.Set();
}

absl::Status DeclaredSchedules::Run() {
  for (;;) {
    changed_.Reset();
    const ProgramChoice::ProgramPtr program = choice_.Choose(hub_.ReadClock());
    if (program != nullptr) Apply(*program);
    absl::Duration pause = kDeclareAgain;
    if (choice_.next_change() != kNever) {
      pause = std::min(pause, absl::Nanoseconds(choice_.next_change() - hub_.ReadClock()));
    }
    absl::Status woken;
    {
      const Timeout timeout(pause);
      woken = changed_.Wait();
    }
    if (absl::IsCancelled(woken)) return woken;
  }
}

void DeclaredSchedules::Apply(const Program& program) {
  const MutexLock lock(live_.changes());
  if (!lock.ok()) return;
  for (const DeclaredSchedule& declared : program.schedules()) {
    Note({declared.tenant(), declared.id()}, Declare(program, declared));
  }
  if (withdrawn_for_ns_ == program.started_ns()) return;
  if (WithdrawOthers(program)) withdrawn_for_ns_ = program.started_ns();
}

absl::Status DeclaredSchedules::Declare(const Program& program, const DeclaredSchedule& declared) {
  const Key key(declared.tenant(), declared.id());
  const State* const state = live_.book().Find(key);
  if (state == nullptr) return Create(program, key, declared.settings());
  const v1::Schedule& there = state->schedule();
  if (!there.has_declaration()) {
    return absl::AlreadyExistsError(
        "a call has made one of that name; once that is deleted, the code's takes its place");
  }
  const bool same = google::protobuf::util::MessageDifferencer::Equals(
      schedules::SettingsOf(there), schedules::SettingsOf(declared.settings()));
  if (same && state->is_declared() && there.declaration().program() == program.name()) {
    return absl::OkStatus();
  }
  return Update(program, key, declared.settings());
}

absl::Status DeclaredSchedules::Create(const Program& program, const Key& key,
                                       const v1::Schedule& settings) {
  auto state = calls_.Make(WhoIs(program), key, settings);
  if (!state.ok()) return state.status();
  if (absl::Status open = gate_(); !open.ok()) return open;
  const WallMicros now_us = live_.Now();
  state->Declare(program.name(), now_us);
  state->Stamp(now_us);
  absl::Status made = live_.Create(key, *std::move(state));
  if (!made.ok()) return made;
  auditor_({DeclaredChange::Kind::kCreated, NameOf(key), key.first, program.name()});
  return made;
}

absl::Status DeclaredSchedules::Update(const Program& program, const Key& key,
                                       const v1::Schedule& settings) {
  const auto remade = calls_.Remake(key, settings);
  if (!remade.ok()) return remade.status();
  if (absl::Status open = gate_(); !open.ok()) return open;
  const WallMicros now_us = live_.Now();
  absl::Status changed = live_.Change(key, [&](State& state) {
    state.Update(remade->settings, remade->times, now_us);
    state.Declare(program.name(), now_us);
    state.Stamp(now_us);
  });
  if (!changed.ok()) return changed;
  auditor_({DeclaredChange::Kind::kUpdated, NameOf(key), key.first, program.name()});
  return changed;
}

bool DeclaredSchedules::WithdrawOthers(const Program& program) {
  std::set<Key> declared;
  for (const DeclaredSchedule& each : program.schedules()) {
    declared.emplace(each.tenant(), each.id());
  }
  bool all = true;
  for (const Key& key : live_.book().KeysOf("")) {
    const State* const state = live_.book().Find(key);
    if (state == nullptr || !state->is_declared() || declared.contains(key)) continue;
    absl::Status withdrawn = gate_();
    if (withdrawn.ok()) {
      const WallMicros now_us = live_.Now();
      withdrawn = live_.Change(key, [&](State& there) {
        there.Withdraw(now_us);
        there.Stamp(now_us);
      });
    }
    Note(key, withdrawn);
    all = all && withdrawn.ok();
    if (!withdrawn.ok()) continue;
    Log(LogLevel::kWarning, "a schedule is paused: the program's code has it no more",
        {{"schedule", NameOf(key)}, {"program", program.name()}});
    auditor_({DeclaredChange::Kind::kWithdrawn, NameOf(key), key.first, program.name()});
  }
  return all;
}

void DeclaredSchedules::Note(const Key& key, const absl::Status& status) {
  if (status.ok()) {
    failures_.erase(key);
    return;
  }
  std::string& said = failures_[key];
  const std::string now = status.ToString();
  if (said == now) return;
  said = now;
  Log(LogLevel::kError, "a schedule is not as the program's code says",
      {{"schedule", NameOf(key)}, {"error", now}});
}

}  // namespace grove::control
