// What is done to tasks and queues that are there: by name, one after the other, or to all that a
// filter chooses, after a count.
#include <unistd.h>

#include <functional>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/task_commands.h"
#include "client/cli/task_filter_flags.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int kNamedMax = 5;
constexpr int64_t kBatchMax = int64_t{1} << 40;

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

// "1 task", "12 tasks".
std::string Tasks(int64_t count) {
  return StrCat(count, count == 1 ? " task" : " tasks");
}

// "tasks force-cancel" -> "force-cancel".
std::string_view VerbWord(const Command& command) {
  const std::string_view name = command.verb.name;
  return name.substr(name.find(' ') + 1);
}

// Whether what has been counted is to be done. On a terminal a person says so, elsewhere --yes.
absl::Status Confirm(Command& command, const std::string& what) {
  if (command.arguments.Has("yes")) return absl::OkStatus();
  if (!command.shell.in_is_terminal) {
    return UsageError(StrCat("would ", what, "; --yes does it, --dry_run shows it"));
  }
  command.shell.err << "This will " << Escape(what) << ". Go on? [y/N] " << std::flush;
  std::string answer;
  for (char c = 0; read(command.shell.in_fd, &c, 1) == 1 && c != '\n';) answer += c;
  if (answer == "y" || answer == "Y" || answer == "yes") return absl::OkStatus();
  return PlainError("nothing was changed");
}

std::string CountText(const Command& command, const v1::BatchChangeTasksResponse& result,
                      bool is_dry) {
  std::string text = StrCat(is_dry ? "would " : "", VerbWord(command), ": ",
                            Tasks(is_dry ? result.matched() : result.changed()));
  if (!is_dry && result.changed() < result.matched()) {
    StrAppend(&text, " of ", result.matched());
  }
  if (result.more()) text += "; there are more";
  text += "\n";
  for (int i = 0; i < result.sample_size() && i < kNamedMax; ++i) {
    StrAppend(&text, "  ", Escape(ShortTaskName(result.sample(i))), "\n");
  }
  if (result.matched() > kNamedMax) text += "  …\n";
  return text;
}

// One document, whatever is done.
void PrintBatch(Command& command, const v1::BatchChangeTasksResponse& result, bool is_dry) {
  Print(command, result, [&] { return CountText(command, result, is_dry); });
}

// The first that was refused, if any was.
absl::Status OutcomeOf(const v1::BatchChangeTasksResponse& result) {
  if (result.failures().empty()) return absl::OkStatus();
  const auto& first = result.failures(0);
  return PrefixedStatus(ToAbslStatus(first.error()),
                        StrCat(result.matched() - result.changed(), " of ", result.matched(),
                               " were refused; the first, ", ShortTaskName(first.name()), ": "));
}

absl::Status ChangeChosen(Command& command, v1::BatchChangeTasksRequest request) {
  absl::StatusOr<TaskChoice> choice = ChosenTasks(command, absl::Now());
  if (!choice.ok()) return choice.status();
  absl::StatusOr<int64_t> limit = IntegerFlag(command, "limit", 0, 1, kBatchMax);
  if (!limit.ok()) return limit.status();
  request.set_parent(choice->parent);
  *request.mutable_filter() = std::move(choice->filter);
  request.set_limit(*limit);
  request.set_reason(command.arguments.ValueOr("reason", ""));
  request.set_validate_only(true);
  auto counted = command.client->ChangeBatch(request);
  if (!counted.ok()) return counted.status();
  if (command.arguments.Has("dry_run") || counted->matched() == 0) {
    PrintBatch(command, *counted, command.arguments.Has("dry_run"));
    return absl::OkStatus();
  }
  const std::string what =
      StrCat(VerbWord(command), " ", Tasks(counted->matched()), counted->more() ? " or more" : "");
  if (absl::Status confirmed = Confirm(command, what); !confirmed.ok()) return confirmed;
  request.set_validate_only(false);
  auto changed = command.client->ChangeBatch(request);
  if (!changed.ok()) return changed.status();
  PrintBatch(command, *changed, /*is_dry=*/false);
  return OutcomeOf(*changed);
}

void PrintTasks(Command& command, const v1::ListTasksResponse& tasks) {
  if (command.arguments.positional().size() == 1 && tasks.tasks_size() == 1) {
    return Print(command, tasks.tasks(0),
                 [&] { return RenderTask(tasks.tasks(0), ViewOf(command)); });
  }
  const nlohmann::ordered_json json = {
      {"tasks", command.ForPeople() ? nlohmann::ordered_json() : ToJson(tasks)["tasks"]}};
  PrintList(command, json, "tasks", [&] { return RenderTasks(tasks.tasks(), ViewOf(command)); });
}

using ChangeOne = std::function<absl::StatusOr<v1::Task>(const std::string& name)>;

absl::Status ChangeNamed(Command& command, const ChangeOne& change) {
  v1::ListTasksResponse tasks;
  std::vector<absl::Status> failures;
  const auto& typed = command.arguments.positional();
  for (const std::string& each : typed) {
    absl::StatusOr<std::string> name = TaskName(each, command.Tenant());
    if (!name.ok()) return name.status();
    absl::StatusOr<v1::Task> task = change(*name);
    if (task.ok()) {
      *tasks.add_tasks() = *std::move(task);
    } else {
      failures.push_back(task.status());
    }
  }
  if (tasks.tasks_size() > 0) PrintTasks(command, tasks);
  if (failures.empty() || typed.size() == 1)
    return failures.empty() ? absl::OkStatus() : failures[0];
  return PrefixedStatus(failures[0],
                        StrCat(failures.size(), " of ", typed.size(), " failed; the first: "));
}

// To the TASKs given, or to what the flags choose.
absl::Status Change(Command& command, v1::BatchChangeTasksRequest batch, const ChangeOne& one) {
  const bool chooses = ChoosesSome(command) || command.arguments.Has("all");
  if (command.arguments.positional().empty() == !chooses) {
    return UsageError("either TASKs, or flags that choose some, or --all");
  }
  for (const char* flag : {"descendants", "as_new"}) {
    if (chooses && command.arguments.Has(flag)) {
      return UsageError(StrCat("--", flag, " goes with TASKs"));
    }
  }
  if (chooses) return ChangeChosen(command, std::move(batch));
  if (command.arguments.Has("dry_run")) return UsageError("--dry_run goes with flags that choose");
  return ChangeNamed(command, one);
}

// What the flags change, and the mask that names it.
absl::Status ParseUpdate(const Command& command, v1::TaskSpec& spec,
                         google::protobuf::FieldMask& mask) {
  const Arguments& arguments = command.arguments;
  if (arguments.Has("priority")) {
    auto priority = IntegerFlag(command, "priority", 0, 0, 9);
    if (!priority.ok()) return priority.status();
    spec.set_priority(static_cast<int32_t>(*priority));
    mask.add_paths("spec.priority");
  }
  if (const auto delay = arguments.Value("delay")) {
    auto parsed = ParseSeconds("--delay", *delay);
    if (!parsed.ok()) return parsed.status();
    const int64_t us = absl::ToInt64Microseconds(*parsed);
    spec.mutable_delay()->set_seconds(us / 1000000);
    spec.mutable_delay()->set_nanos(static_cast<int32_t>(us % 1000000 * 1000));
    mask.add_paths("spec.delay");
  }
  if (const auto start = arguments.Value("start")) {
    auto time = ParseTime("--start", *start, absl::Now(), 1);
    if (!time.ok()) return time.status();
    spec.mutable_start_time()->set_seconds(absl::ToUnixSeconds(*time));
    mask.add_paths("spec.start_time");
  }
  for (const std::string& label : arguments.Values("set_label")) {
    absl::Status added = AddLabel("--set_label", label, *spec.mutable_labels());
    if (!added.ok()) return added;
  }
  if (arguments.Has("set_label") || arguments.Has("no_labels")) mask.add_paths("spec.labels");
  for (const std::string& key : arguments.Values("set_limit_key")) spec.add_limit_keys(key);
  if (arguments.Has("set_limit_key") || arguments.Has("no_limit_keys")) {
    mask.add_paths("spec.limit_keys");
  }
  if (mask.paths().empty()) {
    return UsageError(
        "what is to change? --priority, --delay, --start, --set_label, --no_labels, "
        "--set_limit_key, --no_limit_keys");
  }
  return absl::OkStatus();
}

std::string ReasonOf(const Command& command) {
  return command.arguments.ValueOr("reason", "");
}

absl::Status PrintQueue(Command& command, const absl::StatusOr<v1::Queue>& queue) {
  if (!queue.ok()) return queue.status();
  List<v1::Queue> one;
  *one.Add() = *queue;
  Print(command, *queue, [&] { return RenderQueues(one, ViewOf(command)); });
  return absl::OkStatus();
}

}  // namespace

absl::Status RunTasksCancel(Command& command) {
  v1::BatchChangeTasksRequest batch;
  batch.mutable_cancel();
  return Change(command, std::move(batch), [&command](const std::string& name) {
    v1::CancelTaskRequest request;
    request.set_name(name);
    request.set_reason(ReasonOf(command));
    request.set_descendants(command.arguments.Has("descendants"));
    return command.client->Cancel(request);
  });
}

absl::Status RunTasksForceCancel(Command& command) {
  v1::BatchChangeTasksRequest batch;
  batch.mutable_force_cancel();
  return Change(command, std::move(batch), [&command](const std::string& name) {
    v1::ForceCancelTaskRequest request;
    request.set_name(name);
    request.set_reason(ReasonOf(command));
    request.set_descendants(command.arguments.Has("descendants"));
    return command.client->ForceCancel(request);
  });
}

absl::Status RunTasksPause(Command& command) {
  v1::BatchChangeTasksRequest batch;
  batch.mutable_pause();
  return Change(command, std::move(batch), [&command](const std::string& name) {
    return command.client->Pause(name, ReasonOf(command));
  });
}

absl::Status RunTasksResume(Command& command) {
  v1::BatchChangeTasksRequest batch;
  batch.mutable_resume();
  return Change(command, std::move(batch),
                [&command](const std::string& name) { return command.client->Resume(name); });
}

absl::Status RunTasksRetry(Command& command) {
  v1::BatchChangeTasksRequest batch;
  batch.mutable_retry();
  return Change(command, std::move(batch), [&command](const std::string& name) {
    const bool as_new = command.arguments.Has("as_new");
    return as_new ? command.client->RetryAsNew(name) : command.client->Retry(name);
  });
}

absl::Status RunTasksDelete(Command& command) {
  v1::BatchChangeTasksRequest batch;
  batch.mutable_delete_();
  // What is gone is shown as it was.
  return Change(command, std::move(batch),
                [&command](const std::string& name) -> absl::StatusOr<v1::Task> {
                  auto task = command.client->Get(name, v1::TASK_VIEW_BASIC);
                  if (!task.ok()) return task;
                  absl::Status deleted = command.client->Delete(name);
                  if (!deleted.ok()) return deleted;
                  return task;
                });
}

absl::Status RunTasksUpdate(Command& command) {
  v1::BatchChangeTasksRequest batch;
  auto& update = *batch.mutable_update();
  absl::Status parsed = ParseUpdate(command, *update.mutable_spec(), *update.mutable_update_mask());
  if (!parsed.ok()) return parsed;
  const auto wanted = batch.update();
  return Change(command, std::move(batch), [&command, &wanted](const std::string& name) {
    v1::UpdateTaskRequest request;
    request.mutable_task()->set_name(name);
    *request.mutable_task()->mutable_spec() = wanted.spec();
    *request.mutable_update_mask() = wanted.update_mask();
    return command.client->Update(request);
  });
}

absl::Status RunTasksCount(Command& command) {
  absl::StatusOr<TaskChoice> choice = ChosenTasks(command, absl::Now());
  if (!choice.ok()) return choice.status();
  v1::CountTasksRequest request;
  request.set_parent(choice->parent);
  *request.mutable_filter() = std::move(choice->filter);
  auto counted = command.client->CountTasks(request);
  if (!counted.ok()) return counted.status();
  Print(command, *counted, [&] { return RenderCounts(*counted, ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunTasksExplain(Command& command) {
  auto name = TaskName(command.arguments.positional()[0], command.Tenant());
  if (!name.ok()) return name.status();
  auto explained = command.client->Explain(*name);
  if (!explained.ok()) return explained.status();
  Print(command, *explained, [&] { return RenderExplanation(*explained, ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunQueuesPause(Command& command) {
  auto name = QueueName(command.arguments.positional()[0], command.Tenant());
  if (!name.ok()) return name.status();
  return PrintQueue(command, command.client->PauseQueue(*name, ReasonOf(command)));
}

absl::Status RunQueuesResume(Command& command) {
  auto name = QueueName(command.arguments.positional()[0], command.Tenant());
  if (!name.ok()) return name.status();
  return PrintQueue(command, command.client->ResumeQueue(*name));
}

absl::Status RunQueuesPurge(Command& command) {
  auto name = QueueName(command.arguments.positional()[0], command.Tenant());
  if (!name.ok()) return name.status();
  v1::PurgeQueueRequest request;
  request.set_name(*name);
  request.set_reason(ReasonOf(command));
  request.set_validate_only(true);
  auto result = command.client->PurgeQueue(request);
  if (!result.ok()) return result.status();
  const bool is_dry = command.arguments.Has("dry_run");
  if (!is_dry && result->matched() > 0) {
    const std::string what = StrCat("cancel ", Tasks(result->matched()), " that wait");
    if (absl::Status confirmed = Confirm(command, what); !confirmed.ok()) return confirmed;
    request.set_validate_only(false);
    result = command.client->PurgeQueue(request);
    if (!result.ok()) return result.status();
  }
  Print(command, *result, [&] {
    return StrCat(is_dry ? "would purge: " : "purged: ",
                  Tasks(is_dry ? result->matched() : result->purged()), "\n");
  });
  return absl::OkStatus();
}

}  // namespace grove::client::cli
