#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

std::string ScheduleStateName(const v1::Schedule& schedule) {
  return ShortEnumName(*v1::Schedule::State_descriptor(), schedule.state());
}

std::string OverlapText(const v1::Schedule& schedule) {
  const auto policy = schedule.overlap_policy() == v1::Schedule::OVERLAP_POLICY_UNSPECIFIED
                          ? v1::Schedule::OVERLAP_POLICY_SKIP
                          : schedule.overlap_policy();
  return ShortEnumName(*v1::Schedule::OverlapPolicy_descriptor(), policy);
}

std::string CatchupText(const v1::Schedule& schedule) {
  const auto policy = schedule.catchup_policy() == v1::Schedule::CATCHUP_POLICY_UNSPECIFIED
                          ? v1::Schedule::CATCHUP_POLICY_LATEST
                          : schedule.catchup_policy();
  return ShortEnumName(*v1::Schedule::CatchupPolicy_descriptor(), policy);
}

std::string LengthText(bool has, const google::protobuf::Duration& length) {
  return has ? DurationText(ToDuration(length)) : "";
}

// "30 3 * * *, every 15m".
std::string TimesText(const v1::Schedule& schedule) {
  std::vector<std::string> parts(schedule.cron_expressions().begin(),
                                 schedule.cron_expressions().end());
  if (schedule.has_interval()) {
    const v1::ScheduleInterval& interval = schedule.interval();
    parts.push_back(absl::StrCat("every ", DurationText(ToDuration(interval.every()))));
    if (ToDuration(interval.offset()) > absl::ZeroDuration()) {
      absl::StrAppend(&parts.back(), " + ", DurationText(ToDuration(interval.offset())));
    }
  }
  return absl::StrJoin(parts, ", ");
}

std::string ZoneText(const v1::Schedule& schedule) {
  return schedule.time_zone().empty() ? "UTC" : schedule.time_zone();
}

// In the schedule's own zone, where this machine knows it.
std::string TimeText(const google::protobuf::Timestamp& time, const v1::Schedule& schedule) {
  absl::TimeZone zone = absl::UTCTimeZone();
  if (!absl::LoadTimeZone(ZoneText(schedule), &zone)) zone = absl::UTCTimeZone();
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*S%Ez", ToTime(time), zone);
}

std::string NextText(const v1::Schedule& schedule, const View& view) {
  return schedule.next_run_times().empty() ? "" : AgeText(schedule.next_run_times(0), view.now);
}

// "shop", or "shop, no more since 3m ago".
std::string CodeText(const v1::Schedule& schedule, const View& view) {
  if (!schedule.has_declaration()) return "";
  const v1::ScheduleDeclaration& declaration = schedule.declaration();
  if (!declaration.has_withdraw_time()) return declaration.program();
  return absl::StrCat(declaration.program(),
                      ", no more: ", AgeText(declaration.withdraw_time(), view.now));
}

std::string RunNote(const v1::ScheduleRun& run, const View& view) {
  switch (run.outcome()) {
    case v1::ScheduleRun::OUTCOME_SPAWNED:
      return run.task_state() == v1::TASK_STATE_UNSPECIFIED ? "" : StateName(run.task_state());
    case v1::ScheduleRun::OUTCOME_SKIPPED:
      return "a task had not ended";
    case v1::ScheduleRun::OUTCOME_MISSED:
      return run.times() > 1 ? absl::StrCat(run.times(), " times, too late") : "too late";
    case v1::ScheduleRun::OUTCOME_REFUSED:
      return run.error().message();
    case v1::ScheduleRun::OUTCOME_BUFFERED:
      return "waits for the task before";
    case v1::ScheduleRun::OUTCOME_RETRYING:
      return absl::StrCat("again ", AgeText(run.next_try_time(), view.now), ": ",
                          run.error().message());
    default:
      return "";
  }
}

std::string RenderRuns(const v1::Schedule& schedule, const View& view) {
  Table table({{"DUE", Kind::kId}, {"OUTCOME", Kind::kState}, {"TASK", Kind::kId}, "BY", "NOTE"});
  for (const v1::ScheduleRun& run : schedule.recent_runs()) {
    table.Add({TimeText(run.due_time(), schedule),
               ShortEnumName(*v1::ScheduleRun::Outcome_descriptor(), run.outcome()),
               run.task().empty() ? "" : ShortTaskName(run.task()), run.manual() ? "hand" : "time",
               RunNote(run, view)});
  }
  return table.Render(view.look);
}

}  // namespace

std::string RenderSchedules(const List<v1::Schedule>& schedules, const View& view) {
  Table table({{"SCHEDULE", Kind::kId},
               {"STATE", Kind::kState},
               "NEXT",
               "SPAWNED",
               "FAILED",
               "SKIPPED",
               "MISSED",
               "REFUSED",
               "FUNCTION",
               "TIMES",
               {"ZONE", Kind::kWide},
               {"OVERLAP", Kind::kWide},
               {"RUNNING", Kind::kWide},
               {"CODE", Kind::kWide},
               {"REASON", Kind::kWide}});
  for (const v1::Schedule& schedule : schedules) {
    table.Add({ShortName(schedule.name()), ScheduleStateName(schedule), NextText(schedule, view),
               absl::StrCat(schedule.spawned_total()), absl::StrCat(schedule.failed_total()),
               absl::StrCat(schedule.skipped_total()), absl::StrCat(schedule.missed_total()),
               absl::StrCat(schedule.refused_total()), schedule.spec().function(),
               TimesText(schedule), ZoneText(schedule), OverlapText(schedule),
               absl::StrCat(schedule.running_tasks_size()), CodeText(schedule, view),
               schedule.pause_reason()});
  }
  return table.Render(view.look);
}

std::string RenderSchedule(const v1::Schedule& schedule, const View& view) {
  std::vector<std::string> next;
  for (const auto& time : schedule.next_run_times()) next.push_back(TimeText(time, schedule));
  std::string text = RenderFields(
      {{"name", schedule.name()},
       {"state", ScheduleStateName(schedule)},
       {"pause_reason", schedule.pause_reason()},
       {"from_code", CodeText(schedule, view)},
       {"times", TimesText(schedule)},
       {"zone", ZoneText(schedule)},
       {"spread", LengthText(schedule.has_jitter(), schedule.jitter())},
       {"not_before", schedule.has_start_time() ? TimeText(schedule.start_time(), schedule) : ""},
       {"until", schedule.has_end_time() ? TimeText(schedule.end_time(), schedule) : ""},
       {"runs_left", schedule.has_remaining_runs() ? absl::StrCat(schedule.remaining_runs()) : ""},
       {"function", schedule.spec().function()},
       {"queue", schedule.spec().queue()},
       {"input_payload", schedule.spec().input_payload()},
       {"overlap", OverlapText(schedule)},
       {"catchup", CatchupText(schedule)},
       {"catchup_window", LengthText(schedule.has_catchup_window(), schedule.catchup_window())},
       {"on_failure", schedule.pause_on_failure() ? "pause" : ""},
       {"next", absl::StrJoin(next, "  ")},
       {"running", absl::StrJoin(schedule.running_tasks(), "  ")},
       {"spawned", absl::StrCat(schedule.spawned_total())},
       {"failed", absl::StrCat(schedule.failed_total())},
       {"skipped", absl::StrCat(schedule.skipped_total())},
       {"missed", absl::StrCat(schedule.missed_total())},
       {"refused", absl::StrCat(schedule.refused_total())},
       {"made", schedule.has_create_time() ? AgeText(schedule.create_time(), view.now) : ""},
       {"changed", schedule.has_update_time() ? AgeText(schedule.update_time(), view.now) : ""},
       {"etag", schedule.etag()}},
      view.look);
  if (!schedule.recent_runs().empty()) absl::StrAppend(&text, "\n", RenderRuns(schedule, view));
  return text;
}

}  // namespace grove::client::cli
