// grovectl's watches: a line for each change, until Ctrl-C.
#include <algorithm>
#include <string>
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
#include "client/cli/waiting.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Json = nlohmann::ordered_json;
using Event = v1::WatchTasksResponse::Event;
using Gap = v1::WatchTasksResponse::Gap;

constexpr int64_t kEventsMax = int64_t{1} << 40;
// "TIMED_OUT", "SUCCEEDED", "FORGOTTEN".
constexpr size_t kStateWidth = 9;

absl::Status CheckFormat(const Command& command) {
  if (command.format == OutputFormat::kJson || command.format == OutputFormat::kYaml) {
    return UsageError("a watch prints many documents: give it -o jsonl");
  }
  return absl::OkStatus();
}

std::string Padded(std::string text) {
  text.resize(std::max(text.size(), kStateWidth), ' ');
  return text;
}

std::string GapName(const Gap& gap) {
  return ShortEnumName(*Gap::Cause_descriptor(), gap.cause());
}

const v1::Task* TaskOf(const Event& event) {
  if (event.has_existing()) return &event.existing();
  return event.has_changed() ? &event.changed() : nullptr;
}

// "SUCCEEDED  default/01J…  echo  …": state, task, function and note, two blanks between.
std::string Line(const Event& event) {
  if (event.has_forgotten()) {
    return StrCat(Padded("FORGOTTEN"), "  ", Escape(ShortTaskName(event.forgotten())), "\n");
  }
  if (event.has_gap()) return StrCat(Padded("GAP"), "  ", GapName(event.gap()), "\n");
  const v1::Task* task = TaskOf(event);
  if (task == nullptr) return "";
  std::string line =
      StrCat(Padded(StateName(task->state())), "  ", Escape(ShortTaskName(task->name())), "  ",
             Escape(task->spec().function()));
  const std::string note = task->paused() ? "paused" : TaskNote(*task, {absl::Now()});
  if (!note.empty()) StrAppend(&line, "  ", Escape(note));
  return line + "\n";
}

// {"event": "changed", "task": {…}}
Json LineJson(const Event& event) {
  if (event.has_forgotten()) return {{"event", "forgotten"}, {"name", event.forgotten()}};
  if (event.has_gap()) return {{"event", "gap"}, {"cause", GapName(event.gap())}};
  const v1::Task* task = TaskOf(event);
  if (task == nullptr) return {{"event", "synced"}};
  return {{"event", event.has_existing() ? "existing" : "changed"}, {"task", ToJson(*task)}};
}

void Tell(Command& command, const Event& event) {
  if (command.format == OutputFormat::kJsonl) {
    command.shell.out << RenderJsonLine(LineJson(event));
  } else if (command.format != OutputFormat::kName) {
    command.shell.out << Line(event);
  } else if (const v1::Task* task = TaskOf(event)) {
    command.shell.out << Escape(task->name()) << "\n";
  }
}

// Ctrl-C is how a watch ends.
absl::Status Ended(const absl::Status& status, Waiting& waiting) {
  return waiting.interrupt().stop().is_set() ? absl::OkStatus() : status;
}

// `--interval`, if it was given.
absl::Status SetInterval(const Command& command, v1::WatchQueueRequest& request) {
  const auto typed = command.arguments.Value("interval");
  if (!typed) return absl::OkStatus();
  const auto interval = ParseSeconds("--interval", *typed);
  if (!interval.ok()) return interval.status();
  absl::Duration rest;
  request.mutable_interval()->set_seconds(absl::IDivDuration(*interval, absl::Seconds(1), &rest));
  request.mutable_interval()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return absl::OkStatus();
}

}  // namespace

absl::Status WatchTasks(Command& command, v1::TaskView view, bool with_existing) {
  if (absl::Status format = CheckFormat(command); !format.ok()) return format;
  const auto events = IntegerFlag(command, "count", kEventsMax, 1, kEventsMax);
  if (!events.ok()) return events.status();
  absl::StatusOr<TaskChoice> choice = ChosenTasks(command, absl::Now());
  if (!choice.ok()) return choice.status();
  v1::WatchTasksRequest request;
  request.set_parent(choice->parent);
  *request.mutable_filter() = std::move(choice->filter);
  request.set_view(view);
  request.set_with_existing(with_existing);
  Waiting waiting(command);
  int64_t left = *events;
  const absl::Status watched = command.client->WatchTasks(
      request, waiting.Options(view), [&](const v1::WatchTasksResponse& message) {
        for (const Event& event : message.events()) {
          Tell(command, event);
          if (!event.has_synced() && --left == 0) break;
        }
        command.shell.out << std::flush;
        return left > 0;
      });
  return Ended(watched, waiting);
}

absl::Status RunTasksWatch(Command& command) {
  const auto view = ViewFlag(command, v1::TASK_VIEW_BASIC);
  if (!view.ok()) return view.status();
  return WatchTasks(command, *view, command.arguments.Has("existing"));
}

absl::Status WatchQueues(Command& command, const std::string& name) {
  if (absl::Status format = CheckFormat(command); !format.ok()) return format;
  const auto messages = IntegerFlag(command, "count", kEventsMax, 1, kEventsMax);
  if (!messages.ok()) return messages.status();
  v1::WatchQueueRequest request;
  request.set_name(name);
  if (absl::Status interval = SetInterval(command, request); !interval.ok()) return interval;
  Waiting waiting(command);
  int64_t left = *messages;
  Look look = command.ToLook();
  const absl::Status watched = command.client->WatchQueue(
      request, waiting.Options(v1::TASK_VIEW_BASIC), [&](const v1::WatchQueueResponse& message) {
        if (message.queues().empty()) return true;
        PrintList(command, message, "queues", [&] {
          return RenderQueues(message.queues(), {absl::Now(), look});
        });
        // The first line of the table once.
        look.headers = false;
        command.shell.out << std::flush;
        return --left > 0;
      });
  return Ended(watched, waiting);
}

}  // namespace grove::client::cli
