#include "client/cli/task_filter_flags.h"

#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/text.h"
#include "google/protobuf/timestamp.pb.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int kCodesEnd = 17;

absl::StatusOr<v1::TaskState> ParseState(std::string_view typed) {
  std::vector<std::string> names;
  const std::string wanted = absl::AsciiStrToUpper(Abseil(typed));
  for (int number = 1; number < v1::TaskState_ARRAYSIZE; ++number) {
    const auto state = static_cast<v1::TaskState>(number);
    names.push_back(StateName(state));
    if (names.back() == wanted) return state;
  }
  const std::string near = NearestName(wanted, names);
  return UsageError(StrCat("--state: \"", typed, "\" is no state; ",
                           near.empty() ? "there are " + absl::StrJoin(names, ", ")
                                        : StrCat("did you mean ", near, "?")));
}

absl::Status AddStates(const Command& command, v1::TaskFilter& filter) {
  for (const std::string& list : command.arguments.Values("state")) {
    for (const auto typed : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
      absl::StatusOr<v1::TaskState> state = ParseState(Std(typed));
      if (!state.ok()) return state.status();
      filter.add_states(*state);
    }
  }
  return absl::OkStatus();
}

void SetTime(absl::Time time, google::protobuf::Timestamp* to) {
  to->set_seconds(absl::ToUnixSeconds(time));
  const absl::Duration rest = time - absl::FromUnixSeconds(to->seconds());
  to->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

absl::Status AddTimes(const Command& command, absl::Time now, v1::TaskFilter& filter) {
  const struct {
    const char* flag;
    google::protobuf::Timestamp* (v1::TaskFilter::*field)();
  } kTimes[] = {{"created_since", &v1::TaskFilter::mutable_created_from},
                {"created_until", &v1::TaskFilter::mutable_created_before},
                {"ended_since", &v1::TaskFilter::mutable_ended_from},
                {"ended_until", &v1::TaskFilter::mutable_ended_before}};
  for (const auto& each : kTimes) {
    const auto typed = command.arguments.Value(each.flag);
    if (!typed) continue;
    const absl::StatusOr<absl::Time> time = ParseTime(StrCat("--", each.flag), *typed, now, -1);
    if (!time.ok()) return time.status();
    SetTime(*time, (filter.*each.field)());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> ParseCode(const std::string& flag, const std::string& typed) {
  const std::string wanted = absl::AsciiStrToUpper(typed);
  int number = 0;
  if (SimpleAtoi(typed, &number) && number > 0 && number < kCodesEnd) return number;
  std::vector<std::string> names;
  for (int code = 1; code < kCodesEnd; ++code) {
    names.push_back(absl::StatusCodeToString(static_cast<absl::StatusCode>(code)));
    if (names.back() == wanted) return code;
  }
  const std::string near = NearestName(wanted, names);
  return UsageError(
      StrCat("--", flag, ": \"", typed, "\" is no code; ",
             near.empty() ? "such as NOT_FOUND" : StrCat("did you mean ", near, "?")));
}

std::vector<FlagSpec> TaskFilterFlags() {
  return {
      {"state", "STATE,STATE", "Only tasks in these states, such as QUEUED,RUNNING."},
      {"queue", "QUEUE", "Only tasks of this queue."},
      {"tenant", "TENANT",
       "Tenant of short names; the token's, or \"default\", if not given; \"-\" for all."},
      {"function", "FUNCTION", "Only tasks of this function."},
      {"label", "KEY=VALUE", "Only tasks with this label; may be repeated."},
      {"created_since", "TIME", "Only tasks accepted since 5m ago, or 2026-11-29T10:00:00Z."},
      {"created_until", "TIME", "Only tasks accepted before that."},
      {"ended_since", "TIME", "Only tasks that have ended since then."},
      {"ended_until", "TIME", "Only tasks that ended before that."},
      {"error", "CODE", "Only tasks with this error, such as NOT_FOUND."},
      {"error_reason", "REASON", "Only tasks whose error has this reason."},
      {"worker", "WORKER", "Only tasks whose last attempt is this worker's."},
      {"schedule", "SCHEDULE", "Only tasks that this schedule spawned."},
      {"parent_task", "TASK", "Only tasks that this task's function spawned."},
      {"sequence", "KEY", "Only tasks of this sequence."},
      {"text", "TEXT", "Only tasks that have this in name, label, request id or error."},
  };
}

absl::Status AddLabel(const std::string& flag, const std::string& typed,
                      google::protobuf::Map<std::string, std::string>& labels) {
  const size_t equals = typed.find('=');
  if (equals == 0 || equals == std::string::npos) {
    return UsageError(StrCat(flag, ": \"", typed, "\" is not KEY=VALUE"));
  }
  labels[typed.substr(0, equals)] = typed.substr(equals + 1);
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> ParseTime(const std::string& flag, const std::string& typed,
                                     absl::Time now, int sign) {
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, typed, &time, &error)) return time;
  const absl::StatusOr<absl::Duration> away = ParseSeconds(flag, typed);
  if (away.ok()) return now + sign * *away;
  return UsageError(StrCat(flag, ": \"", typed,
                           "\" is neither a duration, such as 5m, nor a time, such as "
                           "2026-11-29T10:00:00Z"));
}

bool ChoosesSome(const Command& command) {
  for (const FlagSpec& flag : TaskFilterFlags()) {
    if (flag.name != "tenant" && command.arguments.Has(flag.name)) return true;
  }
  return false;
}

absl::StatusOr<TaskChoice> ChosenTasks(const Command& command, absl::Time now) {
  const Arguments& arguments = command.arguments;
  TaskChoice choice;
  const auto queue = arguments.Value("queue");
  absl::StatusOr<std::string> parent =
      queue ? QueueName(*queue, command.Tenant()) : command.Parent();
  if (!parent.ok()) return parent.status();
  choice.parent = *std::move(parent);
  v1::TaskFilter& filter = choice.filter;
  if (absl::Status added = AddStates(command, filter); !added.ok()) return added;
  filter.set_function(FunctionName(arguments.ValueOr("function", "")));
  for (const std::string& label : arguments.Values("label")) {
    absl::Status added = AddLabel("--label", label, *filter.mutable_labels());
    if (!added.ok()) return added;
  }
  if (const auto schedule = arguments.Value("schedule")) {
    (*filter.mutable_labels())["grove.schedule"] = ShortName(*schedule);
  }
  if (absl::Status added = AddTimes(command, now, filter); !added.ok()) return added;
  if (const auto code = arguments.Value("error")) {
    const absl::StatusOr<int> parsed = ParseCode("error", *code);
    if (!parsed.ok()) return parsed.status();
    filter.set_error_code(*parsed);
  }
  filter.set_error_reason(arguments.ValueOr("error_reason", ""));
  if (const auto worker = arguments.Value("worker")) {
    absl::StatusOr<std::string> name = WorkerName(*worker);
    if (!name.ok()) return name.status();
    filter.set_worker(*std::move(name));
  }
  if (const auto parent_task = arguments.Value("parent_task")) {
    absl::StatusOr<std::string> name = TaskName(*parent_task, command.Tenant());
    if (!name.ok()) return name.status();
    filter.set_parent_task(*std::move(name));
  }
  filter.set_sequence_key(arguments.ValueOr("sequence", ""));
  filter.set_text(arguments.ValueOr("text", ""));
  return choice;
}

}  // namespace grove::client::cli
