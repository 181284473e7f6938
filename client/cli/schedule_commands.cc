#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/schedule_verbs.h"
#include "client/cli/task_commands.h"
#include "client/cli/task_filter_flags.h"
#include "client/cli/text.h"
#include "client/cli/verb_groups.h"
#include "google/protobuf/field_mask.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/schedules/run_times.h"

namespace grove::client::cli {
namespace {

constexpr int64_t kListedMax = 1'000'000;
constexpr int64_t kNextMax = 10'000;
// In the place of a flag's value: takes away what was set.
constexpr std::string_view kNone = "none";

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

void PrintSchedule(Command& command, const v1::Schedule& schedule) {
  Print(command, schedule, [&] { return RenderSchedule(schedule, ViewOf(command)); });
}

absl::StatusOr<std::string> NamedSchedule(const Command& command) {
  return ScheduleName(command.arguments.positional()[0], command.Tenant());
}

// A flag's value, unless it is "none"; its field goes to the mask either way.
std::optional<std::string> Taken(const Command& command, const char* flag, const char* field,
                                 google::protobuf::FieldMask& mask) {
  const auto text = command.arguments.Value(flag);
  if (!text) return std::nullopt;
  mask.add_paths(field);
  return *text == kNone ? std::nullopt : text;
}

absl::Status SetLength(const std::string& flag, const std::string& text,
                       google::protobuf::Duration* to) {
  const absl::StatusOr<absl::Duration> length = ParseSeconds("--" + flag, text);
  if (!length.ok()) return length.status();
  absl::Duration rest;
  to->set_seconds(absl::IDivDuration(*length, absl::Seconds(1), &rest));
  to->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return absl::OkStatus();
}

absl::Status SetTime(const std::string& flag, const std::string& text,
                     google::protobuf::Timestamp* to) {
  const absl::StatusOr<absl::Time> time = ParseTime("--" + flag, text, absl::Now(), 1);
  if (!time.ok()) return time.status();
  to->set_seconds(absl::ToUnixSeconds(*time));
  return absl::OkStatus();
}

// "skip" as the value of that name; the others are told to who typed something else.
template <typename Value>
absl::StatusOr<Value> WordOf(const std::string& flag, const std::string& typed,
                             const std::map<std::string, Value>& words) {
  const auto found = words.find(typed);
  if (found != words.end()) return found->second;
  return UsageError(StrCat("--", flag, ": \"", typed, "\" is none of ",
                           absl::StrJoin(words, ", ", [](std::string* out, const auto& word) {
                             out->append(word.first);
                           })));
}

absl::Status TakeTimes(const Command& command, v1::Schedule& schedule,
                       google::protobuf::FieldMask& mask) {
  const auto expressions = command.arguments.Values("cron");
  if (!expressions.empty()) mask.add_paths("cron_expressions");
  for (const std::string& expression : expressions) {
    if (expression != kNone) schedule.add_cron_expressions(expression);
  }
  if (const auto zone = Taken(command, "zone", "time_zone", mask)) schedule.set_time_zone(*zone);
  const auto offset = command.arguments.Value("offset");
  const auto every = Taken(command, "every", "interval", mask);
  if (offset && !every) return UsageError("--offset goes with --every");
  if (!every) return absl::OkStatus();
  v1::ScheduleInterval& interval = *schedule.mutable_interval();
  absl::Status status = SetLength("every", *every, interval.mutable_every());
  if (status.ok() && offset) status = SetLength("offset", *offset, interval.mutable_offset());
  return status;
}

absl::Status TakeRange(const Command& command, v1::Schedule& schedule,
                       google::protobuf::FieldMask& mask) {
  absl::Status status;
  if (const auto spread = Taken(command, "spread", "jitter", mask)) {
    status.Update(SetLength("spread", *spread, schedule.mutable_jitter()));
  }
  if (const auto time = Taken(command, "not_before", "start_time", mask)) {
    status.Update(SetTime("not_before", *time, schedule.mutable_start_time()));
  }
  if (const auto time = Taken(command, "until", "end_time", mask)) {
    status.Update(SetTime("until", *time, schedule.mutable_end_time()));
  }
  if (const auto window = Taken(command, "catchup_window", "catchup_window", mask)) {
    status.Update(SetLength("catchup_window", *window, schedule.mutable_catchup_window()));
  }
  if (const auto runs = Taken(command, "runs", "remaining_runs", mask)) {
    const auto count = ParseInteger("--runs", *runs, 0, INT64_MAX);
    if (!count.ok()) return count.status();
    schedule.set_remaining_runs(*count);
  }
  return status;
}

absl::Status TakePolicies(const Command& command, v1::Schedule& schedule,
                          google::protobuf::FieldMask& mask) {
  if (const auto typed = command.arguments.Value("overlap")) {
    const auto policy = WordOf<v1::Schedule::OverlapPolicy>(
        "overlap", *typed,
        {{"skip", v1::Schedule::OVERLAP_POLICY_SKIP},
         {"allow", v1::Schedule::OVERLAP_POLICY_ALLOW},
         {"buffer_one", v1::Schedule::OVERLAP_POLICY_BUFFER_ONE},
         {"cancel_running", v1::Schedule::OVERLAP_POLICY_CANCEL_RUNNING}});
    if (!policy.ok()) return policy.status();
    schedule.set_overlap_policy(*policy);
    mask.add_paths("overlap_policy");
  }
  if (const auto typed = command.arguments.Value("catchup")) {
    const auto policy =
        WordOf<v1::Schedule::CatchupPolicy>("catchup", *typed,
                                            {{"latest", v1::Schedule::CATCHUP_POLICY_LATEST},
                                             {"all", v1::Schedule::CATCHUP_POLICY_ALL}});
    if (!policy.ok()) return policy.status();
    schedule.set_catchup_policy(*policy);
    mask.add_paths("catchup_policy");
  }
  if (const auto typed = command.arguments.Value("on_failure")) {
    const auto pauses = WordOf<bool>("on_failure", *typed, {{"continue", false}, {"pause", true}});
    if (!pauses.ok()) return pauses.status();
    schedule.set_pause_on_failure(*pauses);
    mask.add_paths("pause_on_failure");
  }
  return absl::OkStatus();
}

// What the flags say, with FUNCTION at the second place if it is there.
absl::Status TakeSettings(const Command& command, v1::Schedule& schedule,
                          google::protobuf::FieldMask& mask) {
  absl::Status status = TakeTimes(command, schedule, mask);
  if (status.ok()) status = TakeRange(command, schedule, mask);
  if (status.ok()) status = TakePolicies(command, schedule, mask);
  if (!status.ok()) return status;
  if (command.arguments.positional().size() < 2) {
    for (const FlagSpec& flag : SpecFlags()) {
      if (flag.name == "tenant" || !command.arguments.Has(flag.name)) continue;
      return UsageError(StrCat("--", flag.name, " belongs to a task: give its FUNCTION, too"));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<v1::TaskSpec> spec = MakeSpec(command, 1);
  if (!spec.ok()) return spec.status();
  *schedule.mutable_spec() = *std::move(spec);
  mask.add_paths("spec");
  return absl::OkStatus();
}

}  // namespace

absl::Status RunSchedules(Command& command) {
  v1::ListSchedulesRequest request;
  absl::StatusOr<std::string> parent = command.Parent();
  if (!parent.ok()) return parent.status();
  request.set_parent(*parent);
  auto schedules = command.client->ListSchedules(request, kListedMax);
  if (!schedules.ok()) return schedules.status();
  PrintList(command, *schedules, "schedules",
            [&] { return RenderSchedules(schedules->schedules(), ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunSchedulesGet(Command& command) {
  const auto name = NamedSchedule(command);
  if (!name.ok()) return name.status();
  const auto schedule = command.client->GetSchedule(*name);
  if (!schedule.ok()) return schedule.status();
  PrintSchedule(command, *schedule);
  return absl::OkStatus();
}

absl::Status RunSchedulesCreate(Command& command) {
  const auto name = NamedSchedule(command);
  if (!name.ok()) return name.status();
  v1::CreateScheduleRequest request;
  request.set_parent(name->substr(0, name->find("/schedules/")));
  request.set_schedule_id(ShortName(*name));
  request.set_validate_only(command.arguments.Has("dry_run"));
  google::protobuf::FieldMask mask;
  absl::Status taken = TakeSettings(command, *request.mutable_schedule(), mask);
  if (!taken.ok()) return taken;
  const auto schedule = command.client->CreateSchedule(request);
  if (!schedule.ok()) return schedule.status();
  PrintSchedule(command, *schedule);
  return absl::OkStatus();
}

absl::Status RunSchedulesUpdate(Command& command) {
  const auto name = NamedSchedule(command);
  if (!name.ok()) return name.status();
  v1::UpdateScheduleRequest request;
  request.mutable_schedule()->set_name(*name);
  request.mutable_schedule()->set_etag(command.arguments.ValueOr("etag", ""));
  request.set_validate_only(command.arguments.Has("dry_run"));
  absl::Status taken =
      TakeSettings(command, *request.mutable_schedule(), *request.mutable_update_mask());
  if (!taken.ok()) return taken;
  if (request.update_mask().paths().empty()) {
    return UsageError("nothing to change: give a flag of what is to be another, or FUNCTION");
  }
  const auto schedule = command.client->UpdateSchedule(request);
  if (!schedule.ok()) return schedule.status();
  PrintSchedule(command, *schedule);
  return absl::OkStatus();
}

absl::Status RunSchedulesDelete(Command& command) {
  const auto name = NamedSchedule(command);
  if (!name.ok()) return name.status();
  absl::Status deleted =
      command.client->DeleteSchedule(*name, command.arguments.ValueOr("etag", ""));
  if (!deleted.ok()) return deleted;
  Print(command, nlohmann::ordered_json{{"name", *name}},
        [&] { return StrCat(Escape(*name), " is gone\n"); });
  return absl::OkStatus();
}

absl::Status RunSchedulesPause(Command& command) {
  const auto name = NamedSchedule(command);
  if (!name.ok()) return name.status();
  const auto schedule =
      command.client->PauseSchedule(*name, command.arguments.ValueOr("reason", ""));
  if (!schedule.ok()) return schedule.status();
  PrintSchedule(command, *schedule);
  return absl::OkStatus();
}

absl::Status RunSchedulesResume(Command& command) {
  const auto name = NamedSchedule(command);
  if (!name.ok()) return name.status();
  const auto schedule = command.client->ResumeSchedule(*name);
  if (!schedule.ok()) return schedule.status();
  PrintSchedule(command, *schedule);
  return absl::OkStatus();
}

absl::Status RunSchedulesRun(Command& command) {
  const auto name = NamedSchedule(command);
  if (!name.ok()) return name.status();
  const auto task = command.client->RunSchedule(*name, command.arguments.ValueOr("request_id", ""));
  if (!task.ok()) return task.status();
  Print(command, *task, [&] { return Escape(task->name()) + "\n"; });
  return absl::OkStatus();
}

absl::Status RunSchedulesNext(Command& command) {
  v1::Schedule schedule;
  google::protobuf::FieldMask mask;
  if (absl::Status taken = TakeTimes(command, schedule, mask); !taken.ok()) return taken;
  for (const std::string& expression : command.arguments.positional()) {
    schedule.add_cron_expressions(expression);
  }
  const auto count = IntegerFlag(command, "count", 5, 1, kNextMax);
  if (!count.ok()) return count.status();
  absl::Time after = absl::Now();
  if (const auto typed = command.arguments.Value("after")) {
    const absl::StatusOr<absl::Time> time = ParseTime("--after", *typed, after, 1);
    if (!time.ok()) return time.status();
    after = *time;
  }
  const auto times = schedules::RunTimes::Create(schedule);
  if (!times.ok()) return times.status();
  absl::Status comes = times->CheckComes(schedule, absl::ToUnixMicros(after));
  if (!comes.ok()) return comes;
  const absl::TimeZone zone = *schedules::LoadZone(schedule.time_zone());
  nlohmann::ordered_json json = {{"times", nlohmann::ordered_json::array()}};
  std::string text;
  WallMicros last = absl::ToUnixMicros(after);
  for (int64_t i = 0; i < *count; ++i) {
    const auto next = times->NextAfter(last);
    if (!next) break;
    const std::string time =
        absl::FormatTime("%Y-%m-%dT%H:%M:%E*S%Ez", absl::FromUnixMicros(*next), zone);
    json["times"].push_back(time);
    StrAppend(&text, time, "\n");
    last = *next;
  }
  Print(command, json, [&] { return text; });
  return absl::OkStatus();
}

}  // namespace grove::client::cli
