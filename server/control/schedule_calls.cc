#include "server/control/schedule_calls.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/page_token.h"
#include "server/control/recalled_tasks.h"
#include "server/control/tenant_calls.h"
#include "server/schedules/schedule_settings.h"
#include "server/tasks/input_payload.h"
#include "server/tasks/list_token.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_spec.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using schedules::RunTimes;
using tasks::BadField;
using tasks::Refusal;
using tenancy::Principal;

constexpr int32_t kPageSizeDefault = 100;
constexpr int32_t kPageSizeMax = 1000;
constexpr std::string_view kAllTenants = "tenants/-";
constexpr std::string_view kDefaultParent = "tenants/default";

std::string NameOf(const schedules::ScheduleKey& key) {
  return tenancy::FormatScheduleName(key.first, key.second);
}

absl::Status NotFound(std::string_view name) {
  return Refusal(absl::StatusCode::kNotFound, "SCHEDULE_NOT_FOUND", StrCat("there is no ", name),
                 {{"name", std::string(name)}});
}

absl::Status TooMany(std::string_view subject, const std::string& bound) {
  return tasks::WithQuotaFailure(
      tasks::WithRetryAfter(Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_SCHEDULES",
                                    StrCat(subject, " has ", bound, ", the most; no more fit")),
                            60'000),
      subject, StrCat("at most ", bound));
}

absl::Status CheckRunRequestId(std::string_view id) {
  const bool fits = id.size() <= kRunRequestIdMax &&
                    std::all_of(id.begin(), id.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (fits) return absl::OkStatus();
  return BadField("request_id", "REQUEST_ID_INVALID",
                  StrCat("must be at most ", kRunRequestIdMax, " printable ASCII characters"));
}

}  // namespace

ScheduleCalls::ScheduleCalls(const tenancy::Directory& directory, EngineDriver& driver,
                             LiveSchedules& live, int64_t input_max_bytes)
    : directory_(directory),
      driver_(driver),
      live_(live),
      input_max_bytes_(std::min(input_max_bytes, schedules::kScheduleInputMax)),
      whole_max_bytes_(input_max_bytes) {}

v1::Schedule ScheduleCalls::View(const Key& key) const {
  return live_.book().Find(key)->View(live_.Now());
}

absl::StatusOr<ScheduleCalls::Key> ScheduleCalls::Find(const Principal& who,
                                                       const std::string& name) const {
  const auto parsed = tenancy::ParseScheduleName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  Key key(parsed->tenant, parsed->schedule);
  if (!who.Sees(key.first) || live_.book().Find(key) == nullptr) return NotFound(name);
  return key;
}

absl::StatusOr<v1::GetScheduleResponse> ScheduleCalls::Get(
    const Principal& who, const v1::GetScheduleRequest& request) const {
  const auto key = Find(who, request.name());
  if (!key.ok()) return key.status();
  v1::GetScheduleResponse response;
  *response.mutable_schedule() = View(*key);
  return response;
}

absl::StatusOr<v1::ListSchedulesResponse> ScheduleCalls::List(
    const Principal& who, const v1::ListSchedulesRequest& request) const {
  const auto page_size = PageSize(request.page_size(), kPageSizeDefault, kPageSizeMax);
  if (!page_size.ok()) return page_size.status();
  const std::string parent =
      request.parent().empty() ? std::string(kDefaultParent) : request.parent();
  std::string tenant;
  if (parent != kAllTenants) {
    const auto parsed = tenancy::ParseTenantName(parent);
    if (!parsed.ok()) return BadField("parent", "NAME_INVALID", Std(parsed.status().message()));
    if (const auto seen = FindSeen(directory_, who, *parsed); !seen.ok()) return seen.status();
    tenant = *parsed;
  }
  // Bound to who sees it.
  const std::string list = StrCat("schedules of ", who.tenant, " in ", tenant);
  Key after;
  if (!request.page_token().empty()) {
    const auto last = tasks::DecodeListToken(list, request.page_token());
    if (!last) {
      return BadField("page_token", "PAGE_TOKEN_INVALID",
                      "is not one that this list returned; leave it empty for the first page");
    }
    const size_t slash = last->find('/');
    after = {last->substr(0, slash), last->substr(slash + 1)};
  }
  v1::ListSchedulesResponse response;
  size_t bytes = 0;
  for (const Key& key :
       live_.book().KeysAfter(after, tenant, static_cast<size_t>(*page_size) + 1)) {
    if (response.schedules_size() == *page_size || bytes > kSchedulesPageBytesMax) {
      response.set_next_page_token(
          tasks::EncodeListToken(list, StrCat(after.first, "/", after.second)));
      break;
    }
    v1::Schedule& shown = *response.add_schedules();
    shown = View(key);
    shown.mutable_spec()->clear_input();
    shown.clear_recent_runs();
    bytes += shown.ByteSizeLong();
    after = key;
  }
  return response;
}

// The tenant's own one of that name comes before the daemon's.
ScheduleCalls::Known ScheduleCalls::FindFunction(std::string_view tenant,
                                                 std::string_view name) const {
  const std::string wanted = StrCat("functions/", name);
  const std::string own = StrCat("functions/", tenant, "/", name);
  v1::ListFunctionsRequest request;
  Known known;
  do {
    const auto page = driver_.engine().ListFunctions(request, tenant);
    if (!page.ok()) return {};
    for (const v1::Function& function : page->functions()) {
      known.any = true;
      if (function.name() == wanted || function.name() == own) known.function = function;
      if (function.name() == own) return known;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return known;
}

absl::Status ScheduleCalls::CheckPayload(std::string_view tenant, const v1::TaskSpec& spec) const {
  if (spec.input_payload().empty()) return absl::OkStatus();
  const Known known = FindFunction(tenant, spec.function());
  const bool reads_whole = known.function && !known.function->streams_input();
  return schedules::UnderSchedule(tasks::CheckInputPayload(
      live_.payloads(), tenant, spec, reads_whole ? whole_max_bytes_ : INT64_MAX));
}

absl::Status ScheduleCalls::CheckSpec(std::string_view tenant, const v1::TaskSpec& spec) const {
  const absl::Status form =
      tasks::CheckSpec(spec, tenant, {input_max_bytes_}, [this, tenant](std::string_view name) {
        const Known known = FindFunction(tenant, name);
        return known.function || !known.any;
      });
  if (!form.ok()) return schedules::UnderSchedule(form);
  if (absl::Status fits = CheckPayload(tenant, spec); !fits.ok()) return fits;
  const auto full = tenancy::ParseQueueName(spec.queue());
  const std::string_view queue = spec.queue().empty() ? tenancy::kDefaultName
                                 : full.ok()          ? full->queue
                                                      : std::string_view(spec.queue());
  if (directory_.FindQueue(tenant, queue)) return absl::OkStatus();
  const std::string name = tenancy::FormatQueueName(tenant, queue);
  return Refusal(absl::StatusCode::kNotFound, "QUEUE_NOT_FOUND", StrCat("there is no ", name),
                 {{"queue", name}});
}

absl::StatusOr<v1::Schedule> ScheduleCalls::Settings(std::string_view tenant,
                                                     const v1::Schedule& sent) const {
  v1::Schedule settings = schedules::SettingsOf(sent);
  absl::Status status = schedules::CheckSettings(settings);
  if (status.ok()) status = CheckSpec(tenant, settings.spec());
  if (!status.ok()) return status;
  return settings;
}

absl::Status ScheduleCalls::CheckRoom(const Key& key) const {
  if (live_.book().Find(key) != nullptr) {
    return Refusal(absl::StatusCode::kAlreadyExists, "SCHEDULE_EXISTS",
                   StrCat(NameOf(key), " exists"), {{"name", NameOf(key)}});
  }
  if (live_.book().CountOf(key.first) >= schedules::kSchedulesPerTenantMax) {
    return TooMany(tenancy::FormatTenantName(key.first),
                   StrCat(schedules::kSchedulesPerTenantMax, " schedules"));
  }
  if (live_.book().size() < schedules::kSchedulesMax) return absl::OkStatus();
  return TooMany("the daemon", StrCat(schedules::kSchedulesMax, " schedules"));
}

absl::Status ScheduleCalls::CheckBytes(const Key& key, const v1::Schedule& settings) const {
  const size_t bytes = live_.book().BytesBeside(key) + settings.spec().ByteSizeLong();
  if (bytes <= schedules::kScheduleBytesPerTenantMax) return absl::OkStatus();
  return TooMany(tenancy::FormatTenantName(key.first),
                 StrCat("tasks of schedules of ", schedules::kScheduleBytesPerTenantMax,
                        " bytes, inputs included"));
}

absl::StatusOr<v1::CreateScheduleResponse> ScheduleCalls::Create(
    const Principal& who, const v1::CreateScheduleRequest& request) {
  const std::string parent =
      request.parent().empty() ? std::string(kDefaultParent) : request.parent();
  const auto tenant = tenancy::ParseTenantName(parent);
  if (!tenant.ok()) return BadField("parent", "NAME_INVALID", Std(tenant.status().message()));
  if (!tenancy::IsShortName(request.schedule_id())) {
    return BadField("schedule_id", "NAME_INVALID",
                    StrCat("must be 1 to ", tenancy::kShortNameMax,
                           " lower-case letters, digits, \"-\", \"_\" and \".\", a letter or "
                           "digit at both ends"));
  }
  const MutexLock lock(live_.changes());
  if (!lock.ok()) return lock.status();
  const Key key(*tenant, request.schedule_id());
  auto state = Make(who, key, request.schedule());
  if (!state.ok()) return state.status();
  const WallMicros now_us = live_.Now();
  state->Stamp(now_us);
  v1::CreateScheduleResponse response;
  *response.mutable_schedule() = state->View(now_us);
  if (request.validate_only()) {
    response.mutable_schedule()->clear_etag();
    return response;
  }
  if (absl::Status made = live_.Create(key, *std::move(state)); !made.ok()) return made;
  return response;
}

absl::StatusOr<ScheduleCalls::State> ScheduleCalls::Make(const Principal& who, const Key& key,
                                                         const v1::Schedule& sent) const {
  const auto found = FindSeen(directory_, who, key.first);
  if (!found.ok()) return found.status();
  if (directory_.tenants()[*found].draining) {
    const std::string tenant = tenancy::FormatTenantName(key.first);
    return Refusal(absl::StatusCode::kFailedPrecondition, "TENANT_DRAINING",
                   StrCat(tenant, " is being deleted"), {{"tenant", tenant}});
  }
  auto settings = Settings(key.first, sent);
  if (!settings.ok()) return settings.status();
  const WallMicros now_us = live_.Now();
  const auto times = RunTimes::Create(*settings);
  if (!times.ok()) return times.status();
  absl::Status possible = times->CheckComes(*settings, now_us);
  if (possible.ok()) possible = CheckRoom(key);
  if (possible.ok()) possible = CheckBytes(key, *settings);
  if (!possible.ok()) return possible;
  proto::SetMicros(now_us, settings->mutable_create_time());
  return State(NameOf(key), *std::move(settings), now_us);
}

absl::StatusOr<ScheduleCalls::Remade> ScheduleCalls::Remake(const Key& key,
                                                            const v1::Schedule& sent) const {
  auto settings = Settings(key.first, sent);
  if (!settings.ok()) return settings.status();
  auto times = RunTimes::Create(*settings);
  if (!times.ok()) return times.status();
  absl::Status possible = times->CheckComes(*settings, live_.Now());
  if (possible.ok()) possible = CheckBytes(key, *settings);
  if (!possible.ok()) return possible;
  return Remade{*std::move(settings), *std::move(times)};
}

absl::Status ScheduleCalls::CheckFree(const Key& key) const {
  const State& state = *live_.book().Find(key);
  if (!state.is_declared()) return absl::OkStatus();
  const std::string& program = state.schedule().declaration().program();
  return Refusal(absl::StatusCode::kFailedPrecondition, "SCHEDULE_FROM_CODE",
                 StrCat(NameOf(key), " stands in the code of ", program,
                        ": change it there, or pause it here"),
                 {{"name", NameOf(key)}, {"program", program}});
}

absl::Status ScheduleCalls::CheckEtag(const Key& key, std::string_view etag) const {
  const std::string& current = live_.book().Find(key)->schedule().etag();
  if (etag.empty() || etag == current) return absl::OkStatus();
  return Refusal(absl::StatusCode::kAborted, "ETAG_MISMATCH",
                 StrCat(NameOf(key), " has been changed since: its etag is ", current),
                 {{"name", NameOf(key)}, {"etag", current}});
}

absl::StatusOr<v1::UpdateScheduleResponse> ScheduleCalls::Update(
    const Principal& who, const v1::UpdateScheduleRequest& request) {
  const MutexLock lock(live_.changes());
  if (!lock.ok()) return lock.status();
  const auto key = Find(who, request.schedule().name());
  if (!key.ok()) return key.status();
  if (absl::Status free = CheckFree(*key); !free.ok()) return free;
  if (absl::Status same = CheckEtag(*key, request.schedule().etag()); !same.ok()) return same;
  v1::Schedule masked = schedules::SettingsOf(live_.book().Find(*key)->schedule());
  absl::Status taken = schedules::TakeMasked(request.update_mask(), request.schedule(), masked);
  if (!taken.ok()) return taken;
  const auto remade = Remake(*key, masked);
  if (!remade.ok()) return remade.status();
  const WallMicros now_us = live_.Now();
  const auto change = [&](State& state) {
    // Of the state as it is then: it may have run meanwhile.
    v1::Schedule changed = schedules::SettingsOf(state.schedule());
    schedules::TakeMasked(request.update_mask(), request.schedule(), changed).IgnoreError();
    state.Update(changed, remade->times, now_us);
    state.Stamp(now_us);
  };
  v1::UpdateScheduleResponse response;
  if (request.validate_only()) {
    State state = *live_.book().Find(*key);
    change(state);
    *response.mutable_schedule() = state.View(now_us);
    return response;
  }
  if (absl::Status changed = live_.Change(*key, change); !changed.ok()) return changed;
  *response.mutable_schedule() = View(*key);
  return response;
}

absl::StatusOr<v1::DeleteScheduleResponse> ScheduleCalls::Delete(
    const Principal& who, const v1::DeleteScheduleRequest& request) {
  const MutexLock lock(live_.changes());
  if (!lock.ok()) return lock.status();
  const auto key = Find(who, request.name());
  if (!key.ok()) return key.status();
  if (absl::Status free = CheckFree(*key); !free.ok()) return free;
  if (absl::Status same = CheckEtag(*key, request.etag()); !same.ok()) return same;
  if (absl::Status removed = live_.Remove({*key}); !removed.ok()) return removed;
  return v1::DeleteScheduleResponse();
}

absl::StatusOr<v1::PauseScheduleResponse> ScheduleCalls::Pause(
    const Principal& who, const v1::PauseScheduleRequest& request) {
  if (request.reason().size() > tasks::kReasonMax) {
    return BadField("reason", "REASON_TOO_LONG",
                    StrCat("is ", request.reason().size(), " bytes; at most ", tasks::kReasonMax,
                           " are allowed"));
  }
  const MutexLock lock(live_.changes());
  if (!lock.ok()) return lock.status();
  const auto key = Find(who, request.name());
  if (!key.ok()) return key.status();
  const WallMicros now_us = live_.Now();
  absl::Status changed = live_.Change(*key, [&](State& state) {
    state.Pause(request.reason(), now_us);
    state.Stamp(now_us);
  });
  if (!changed.ok()) return changed;
  v1::PauseScheduleResponse response;
  *response.mutable_schedule() = View(*key);
  return response;
}

absl::StatusOr<v1::ResumeScheduleResponse> ScheduleCalls::Resume(
    const Principal& who, const v1::ResumeScheduleRequest& request) {
  const MutexLock lock(live_.changes());
  if (!lock.ok()) return lock.status();
  const auto key = Find(who, request.name());
  if (!key.ok()) return key.status();
  v1::ResumeScheduleResponse response;
  if (live_.book().Find(*key)->is_paused()) {
    const WallMicros now_us = live_.Now();
    absl::Status changed = live_.Change(*key, [&](State& state) {
      state.Resume(now_us);
      state.Stamp(now_us);
    });
    if (!changed.ok()) return changed;
  }
  *response.mutable_schedule() = View(*key);
  return response;
}

absl::StatusOr<v1::RunScheduleResponse> ScheduleCalls::Run(const Principal& who,
                                                           const v1::RunScheduleRequest& request) {
  if (absl::Status id = CheckRunRequestId(request.request_id()); !id.ok()) return id;
  const auto key = Find(who, request.name());
  if (!key.ok()) return key.status();
  const auto task = live_.RunNow(*key, request.request_id());
  if (!task.ok()) return task.status();
  const auto id = driver_.engine().Find(*task);
  if (!id.ok()) return id.status();
  RecalledTasks recalled(driver_);
  if (absl::Status at_hand = recalled.Recall({*id}); !at_hand.ok()) return at_hand;
  auto shown = driver_.engine().Get(
      *id, v1::TASK_VIEW_BASIC, driver_.Now(),
      who.is_operator() ? tasks::Audience::kOperators : tasks::Audience::kTenant);
  if (!shown.ok()) return shown.status();
  v1::RunScheduleResponse response;
  *response.mutable_task() = *std::move(shown);
  return response;
}

}  // namespace grove::control
