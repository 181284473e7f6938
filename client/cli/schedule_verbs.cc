#include "client/cli/schedule_verbs.h"

#include <utility>

#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

constexpr size_t kExpressionsMax = 32;

std::vector<FlagSpec> TimesFlags() {
  return {
      {"cron", "EXPRESSION", "Five fields, or such as @daily; may be repeated."},
      {"every", "DURATION", "Every so long, counted from 1970, such as 15m."},
      {"offset", "DURATION", "Each time of --every is later by this."},
      {"zone", "ZONE", "Of --cron, such as Europe/Berlin; UTC if not given."},
  };
}

std::vector<FlagSpec> SettingsFlags() {
  std::vector<FlagSpec> flags = TimesFlags();
  for (FlagSpec& flag : std::vector<FlagSpec>{
           {"spread", "DURATION", "Each run is later by up to this, at random."},
           {"not_before", "TIME",
            "No run before this, such as 2026-12-01T00:00:00Z, or 12h from now."},
           {"until", "TIME", "No run from then on."},
           {"runs", "N", "Only so many more runs."},
           {"overlap", "POLICY", "skip (default), allow, buffer_one or cancel_running."},
           {"catchup", "WHICH", "Of missed runs: latest (default) or all."},
           {"catchup_window", "DURATION", "No run that is later than this; 24h if not given."},
           {"on_failure", "WHAT", "Of a task: continue (default), or pause the schedule."}}) {
    flags.push_back(std::move(flag));
  }
  for (FlagSpec& flag : SpecFlags()) flags.push_back(std::move(flag));
  return flags;
}

std::vector<FlagSpec> With(std::vector<FlagSpec> flags, std::vector<FlagSpec> more) {
  for (FlagSpec& flag : more) flags.push_back(std::move(flag));
  return flags;
}

// Of one schedule, which it names.
Verb ScheduleVerb(const char* name, const char* summary, const char* description,
                  std::vector<FlagSpec> flags, absl::Status (*run)(Command&)) {
  flags.push_back(TenantFlag());
  return OneVerb(name, "SCHEDULE", summary, description, std::move(flags), run);
}

Verb CreateVerb() {
  return {
      .name = "schedules create",
      .arguments = "NAME FUNCTION [INPUT]",
      .summary = "Make a schedule, which spawns a task again and again.",
      .description =
          "When: --cron, --every, or both. What: FUNCTION, INPUT and the flags of \"spawn\". "
          "Prints the schedule with the next times.",
      .arguments_min = 2,
      .arguments_max = 3,
      .flags = With(SettingsFlags(),
                    {{"dry_run", "", "Only say whether it could be made, and when it would run."}}),
      .run = RunSchedulesCreate,
  };
}

Verb UpdateVerb() {
  return {
      .name = "schedules update",
      .arguments = "SCHEDULE [FUNCTION] [INPUT]",
      .summary = "Change a schedule: what is given, and no more.",
      .description =
          "--cron, --every, --spread, --not_before, --until, --runs and --catchup_window take "
          "\"none\". With FUNCTION the whole task is another: INPUT and the flags of \"spawn\" "
          "belong to it.",
      .arguments_min = 1,
      .arguments_max = 3,
      .flags = With(SettingsFlags(),
                    {EtagFlag(),
                     {"dry_run", "", "Only say whether it could be changed, and its next times."}}),
      .run = RunSchedulesUpdate,
  };
}

}  // namespace

std::vector<Verb> ScheduleVerbs() {
  return {
      TenantListVerb("schedules", "List schedules, by name; also \"schedules list\".",
                     RunSchedules),
      TenantListVerb("schedules list", "List schedules, by name.", RunSchedules),
      ScheduleVerb("schedules get", "Show a schedule, its next times and its last runs.", "", {},
                   RunSchedulesGet),
      ScheduleVerb("schedules describe", "As schedules get.", "", {}, RunSchedulesGet),
      CreateVerb(),
      UpdateVerb(),
      ScheduleVerb("schedules delete", "Delete a schedule; its tasks go on.", "", {EtagFlag()},
                   RunSchedulesDelete),
      ScheduleVerb("schedules pause", "Let a schedule spawn nothing until it is resumed.", "",
                   {{"reason", "TEXT", "Kept as the schedule's pause reason."}}, RunSchedulesPause),
      ScheduleVerb("schedules resume", "Let a schedule run again.",
                   "What was due meanwhile is passed over.", {}, RunSchedulesResume),
      ScheduleVerb("schedules run", "Run a schedule now, and print the task's name.",
                   "Beside its times, whatever its overlap policy, and also while it is paused.",
                   {{"request_id", "ID", "Running it again with the same returns the first task."}},
                   RunSchedulesRun),
      {
          .name = "schedules next",
          .arguments = "[EXPRESSION...]",
          .summary = "Print the next times of cron expressions, without a daemon.",
          .description = "Those of --cron count too; with --every, those of the interval.",
          .arguments_max = kExpressionsMax,
          .flags = With(TimesFlags(),
                        {{"count", "N", "So many times; 5 if not given."},
                         {"after", "TIME", "Those after this, such as 2026-12-01T00:00:00Z."}}),
          .needs = Verb::Needs::kNothing,
          .run = RunSchedulesNext,
      },
  };
}

}  // namespace grove::client::cli
