#include "client/cli/task_commands.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/payload_transfer.h"
#include "client/cli/render.h"
#include "client/cli/task_filter_flags.h"
#include "client/cli/text.h"
#include "client/cli/waiting.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int64_t kListedTasks = 100;
constexpr int64_t kListedTasksMax = 100000;

absl::StatusOr<std::vector<std::string>> TaskNames(const Command& command) {
  std::vector<std::string> names;
  for (const std::string& typed : command.arguments.positional()) {
    absl::StatusOr<std::string> name = TaskName(typed, command.Tenant());
    if (!name.ok()) return name.status();
    names.push_back(*std::move(name));
  }
  return names;
}

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

void PrintTable(Command& command, const v1::ListTasksResponse& tasks) {
  PrintList(command, tasks, "tasks", [&] { return RenderTasks(tasks.tasks(), ViewOf(command)); });
}

absl::Status PrintTask(Command& command, const v1::Task& task) {
  if (command.arguments.Has("raw")) {
    if (!task.output_payload().empty()) return DownloadToOutput(command, task.output_payload());
    command.shell.out << task.output();
    return absl::OkStatus();
  }
  Print(command, task, [&] { return RenderTask(task, ViewOf(command)); });
  return absl::OkStatus();
}

// One task as itself, several as a list.
absl::Status PrintTasks(Command& command, const v1::ListTasksResponse& tasks) {
  if (command.arguments.positional().size() == 1 && tasks.tasks_size() == 1) {
    return PrintTask(command, tasks.tasks(0));
  }
  // Several names are no page of a list.
  const nlohmann::ordered_json json = {
      {"tasks", command.ForPeople() ? nlohmann::ordered_json() : ToJson(tasks)["tasks"]}};
  PrintList(command, json, "tasks", [&] { return RenderTasks(tasks.tasks(), ViewOf(command)); });
  return absl::OkStatus();
}

// The first failure, and how many more there are.
absl::Status Summarize(const std::vector<absl::Status>& failures, size_t total) {
  if (failures.empty() || total == 1) return failures.empty() ? absl::OkStatus() : failures[0];
  return PrefixedStatus(failures[0],
                        StrCat(failures.size(), " of ", total, " failed; the first: "));
}

// "" of what is no order.
std::string_view OrderOf(std::string_view typed) {
  if (typed == "created") return "create_time";
  if (typed == "-created") return "create_time desc";
  if (typed == "ended") return "end_time";
  return typed == "-ended" ? "end_time desc" : "";
}

absl::StatusOr<v1::ListTasksRequest> ListRequest(const Command& command) {
  absl::StatusOr<TaskChoice> choice = ChosenTasks(command, absl::Now());
  if (!choice.ok()) return choice.status();
  v1::ListTasksRequest request;
  request.set_parent(choice->parent);
  // Daemons of before know these two.
  request.mutable_states()->Swap(choice->filter.mutable_states());
  request.set_function(std::exchange(*choice->filter.mutable_function(), ""));
  if (choice->filter.ByteSizeLong() > 0) *request.mutable_filter() = std::move(choice->filter);
  const auto order = command.arguments.Value("order");
  if (!order) return request;
  request.set_order_by(std::string(OrderOf(*order)));
  if (!request.order_by().empty()) return request;
  return UsageError(StrCat("--order: \"", *order, "\" is not created, -created, ended or -ended"));
}

}  // namespace

absl::StatusOr<v1::TaskView> ViewFlag(const Command& command, v1::TaskView fallback) {
  const auto typed = command.arguments.Value("view");
  if (!typed) return fallback;
  if (*typed == "basic") return v1::TASK_VIEW_BASIC;
  if (*typed == "output") return v1::TASK_VIEW_OUTPUT;
  if (*typed == "full") return v1::TASK_VIEW_FULL;
  return UsageError(StrCat("--view: \"", *typed, "\" is not basic, output or full"));
}

absl::Status PrefixedStatus(const absl::Status& status, std::string_view prefix) {
  absl::Status result(status.code(), StrCat(prefix, status.message()));
  status.ForEachPayload(
      [&](auto type_url, const absl::Cord& payload) { result.SetPayload(type_url, payload); });
  return result;
}

absl::Status OutcomeOf(const v1::Task& task, absl::Duration waited) {
  const std::string who = StrCat("task ", ShortTaskName(task.name()), " ", StateName(task.state()));
  if (task.state() == v1::TASK_STATE_SUCCEEDED) return absl::OkStatus();
  if (!HasEnded(task.state())) {
    return absl::DeadlineExceededError(
        StrCat(who, ": it has not ended within ", DurationText(waited)));
  }
  absl::Status error = ToAbslStatus(task.error());
  if (error.ok()) return absl::UnknownError(StrCat(who, ": the server gave no reason"));
  return PrefixedStatus(error, who + ": ");
}

namespace {

// Those that are there, in the order of their making, and then each change.
absl::Status RunTasksWatched(Command& command) {
  for (const char* flag : {"order", "limit"}) {
    if (command.arguments.Value(flag)) {
      return UsageError(StrCat("--", flag, " does not go with --watch"));
    }
  }
  absl::StatusOr<v1::TaskView> view = ViewFlag(command, v1::TASK_VIEW_BASIC);
  if (!view.ok()) return view.status();
  return WatchTasks(command, *view, /*with_existing=*/true);
}

}  // namespace

absl::Status RunTasks(Command& command) {
  if (command.arguments.Has("watch")) return RunTasksWatched(command);
  if (command.arguments.Value("count")) return UsageError("--count goes with --watch");
  absl::StatusOr<v1::ListTasksRequest> request = ListRequest(command);
  if (!request.ok()) return request.status();
  absl::StatusOr<int64_t> limit = IntegerFlag(command, "limit", kListedTasks, 1, kListedTasksMax);
  if (!limit.ok()) return limit.status();
  absl::StatusOr<v1::TaskView> view = ViewFlag(command, v1::TASK_VIEW_BASIC);
  if (!view.ok()) return view.status();
  request->set_view(*view);
  auto tasks = command.client->ListTasks(*request, *limit);
  if (!tasks.ok()) return tasks.status();
  PrintTable(command, *tasks);
  if (command.shell.out_is_terminal && command.ForPeople() && !tasks->next_page_token().empty()) {
    command.shell.err << "there are more than " << *limit << " tasks; --limit shows more\n";
  }
  return absl::OkStatus();
}

absl::Status RunGet(Command& command) {
  auto names = TaskNames(command);
  if (!names.ok()) return names.status();
  const bool raw = command.arguments.Has("raw");
  auto view = ViewFlag(command, raw ? v1::TASK_VIEW_OUTPUT : v1::TASK_VIEW_FULL);
  if (!view.ok()) return view.status();
  auto task = command.client->Get(names->front(), *view);
  if (!task.ok()) return task.status();
  if (absl::Status printed = PrintTask(command, *task); !printed.ok()) return printed;
  if (raw && task->state() != v1::TASK_STATE_SUCCEEDED) {
    return absl::FailedPreconditionError(
        StrCat("task ", ShortTaskName(task->name()), " has no output: ", StateName(task->state())));
  }
  return absl::OkStatus();
}

namespace {

// A single task is shown while it is waited for.
absl::StatusOr<v1::BatchWaitTasksResponse> WaitForAll(Command& command,
                                                      const std::vector<std::string>& names,
                                                      v1::TaskView view) {
  Waiting waiting(command);
  const WaitOptions options = waiting.Options(view);
  if (names.size() > 1) {
    auto all = command.client->WaitBatch(names, options);
    if (!all.ok()) return waiting.Explain(all.status(), names);
    return all;
  }
  auto task = command.client->Wait(names.front(), options);
  if (!task.ok()) return waiting.Explain(task.status(), names);
  v1::BatchWaitTasksResponse all;
  *all.add_results()->mutable_task() = *std::move(task);
  return all;
}

}  // namespace

absl::Status RunWait(Command& command) {
  auto names = TaskNames(command);
  if (!names.ok()) return names.status();
  const bool raw = command.arguments.Has("raw");
  if (raw && names->size() > 1) return UsageError("--raw goes with one task");
  // A table has no room for outputs.
  const bool shows_outputs = names->size() == 1 || !command.ForPeople();
  auto view = ViewFlag(command, shows_outputs ? v1::TASK_VIEW_OUTPUT : v1::TASK_VIEW_BASIC);
  if (!view.ok()) return view.status();
  auto answer = WaitForAll(command, *names, *view);
  if (!answer.ok()) return answer.status();
  v1::ListTasksResponse tasks;
  std::vector<absl::Status> failures;
  for (int i = 0; i < answer->results_size(); ++i) {
    auto& result = *answer->mutable_results(i);
    absl::Status outcome = result.has_error() ? PrefixedStatus(ToAbslStatus(result.error()),
                                                               ShortTaskName((*names)[i]) + ": ")
                                              : OutcomeOf(result.task(), command.wait_timeout);
    if (!outcome.ok()) failures.push_back(std::move(outcome));
    if (result.has_task()) *tasks.add_tasks() = std::move(*result.mutable_task());
  }
  if (tasks.tasks_size() > 0) {
    absl::Status printed = PrintTasks(command, tasks);
    if (!printed.ok()) failures.push_back(std::move(printed));
  }
  return Summarize(failures, names->size());
}

absl::Status RunCancel(Command& command) {
  auto names = TaskNames(command);
  if (!names.ok()) return names.status();
  v1::ListTasksResponse tasks;
  std::vector<absl::Status> failures;
  for (const std::string& name : *names) {
    v1::CancelTaskRequest request;
    request.set_name(name);
    request.set_reason(command.arguments.ValueOr("reason", ""));
    request.set_descendants(command.arguments.Has("descendants"));
    auto task = command.client->Cancel(request);
    if (!task.ok()) {
      failures.push_back(task.status());
      continue;
    }
    if (HasEnded(task->state()) && task->state() != v1::TASK_STATE_CANCELLED) {
      failures.push_back(absl::FailedPreconditionError(
          StrCat("task ", ShortTaskName(name), " had already ended: ", StateName(task->state()))));
    }
    *tasks.add_tasks() = *std::move(task);
  }
  if (tasks.tasks_size() > 0) {
    absl::Status printed = PrintTasks(command, tasks);
    if (!printed.ok()) failures.push_back(std::move(printed));
  }
  return Summarize(failures, names->size());
}

}  // namespace grove::client::cli
