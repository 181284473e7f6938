#include <utility>

#include "client/cli/task_filter_flags.h"
#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

constexpr size_t kTasksMax = 10000;

FlagSpec ViewFlag(const char* help) {
  return {"view", "VIEW", help};
}

FlagSpec RawFlag() {
  return {"raw", "", "Print the output alone, as it is."};
}

std::vector<FlagSpec> SpawnFlags() {
  return {
      {"wait", "", "Wait for the end, print the output, and succeed only if the task SUCCEEDED."},
      {"count", "N", "Spawn N tasks in batches; with --wait, print a summary."},
      {"inputs", "@FILE",
       "Spawn a task for each line of FILE, or of standard input if it is \"-\" (NDJSON)."},
      {"completion", "FUNCTION", "With --count, at most 1,000: spawn this once all have ended."},
      {"completion_input", "INPUT", "Its input; otherwise it is as the others."},
      {"queue", "QUEUE", "Queue to put the task in; \"default\" if not given."},
      TenantFlag(),
      {"priority", "P", "0 (default) to 9; higher runs first in a PRIORITY queue."},
      {"delay", "DURATION", "Start no sooner than this from now, such as 5s."},
      {"task_timeout", "DURATION", "Bound on each attempt; the function's own if not given."},
      {"start_timeout", "DURATION", "Bound on each wait in the queue, after which it TIMED_OUT."},
      {"heartbeat_timeout", "DURATION", "End an attempt that is silent for so long."},
      {"max_attempts", "N", "Attempts before the task has failed; the function's, or 1."},
      {"backoff", "DURATION", "Wait before the second attempt, then growing; 1s if not given."},
      {"max_backoff", "DURATION", "Bound on these waits; 1m if not given."},
      {"jitter", "PART", "Each wait is shorter by up to this part, 0 to 1; 0.1 if not given."},
      {"not_retried", "CODE", "No attempt after this error, such as NOT_FOUND; may be repeated."},
      {"request_id", "ID", "Spawning the same again returns the first task; another is refused."},
      {"unique_key", "KEY", "At most one task of this function and key at a time."},
      {"on_conflict", "WHAT", "If another has the key: attach to it (default), or refuse."},
      {"limit_key", "KEY", "Count it for this key's limit; a second KEY is one within the first."},
      {"slot_cost", "N", "Slots that it takes while it runs; the function's, or 1."},
      {"after", "TASK", "Start once this task has ended; may be repeated."},
      {"if_succeeded", "", "With --after: fail as soon as one of those has not succeeded."},
      {"sequence", "KEY", "Tasks with this KEY run one after the other, as they were spawned."},
      {"halt", "", "With --sequence: if it fails, those behind it wait until it has succeeded."},
      {"webhook", "URL", "POST the task to URL once it has ended, tried again for hours."},
      {"label", "KEY=VALUE", "Label to attach; may be repeated."},
      {"volatile", "", "Keep the task in memory only: faster, lost when control is restarted."},
      {"content_type", "TYPE", "Type of INPUT; application/json if not given."},
      {"input_payload", "PAYLOAD", "Instead of INPUT: one that \"payloads put\" has uploaded."},
  };
}

Verb ListVerb(const char* name, const char* summary) {
  std::vector<FlagSpec> flags = TaskFilterFlags();
  flags.push_back(
      {"order", "ORDER", "created (oldest first), -created (default), ended or -ended."});
  flags.push_back({"limit", "N", "At most N tasks; 100 if not given."});
  flags.push_back(ViewFlag("basic (default: no inputs or outputs), output or full."));
  flags.push_back({"watch", "", "Oldest first, then a line for each change, until Ctrl-C."});
  flags.push_back({"count", "N", "End --watch after N lines."});
  return {.name = name, .summary = summary, .flags = std::move(flags), .run = RunTasks};
}

Verb WatchVerb() {
  std::vector<FlagSpec> flags = TaskFilterFlags();
  flags.push_back({"existing", "", "First the tasks that are there, the oldest first."});
  flags.push_back(ViewFlag("basic (default: no inputs or outputs), output or full."));
  flags.push_back({"count", "N", "End after N lines."});
  return {.name = "tasks watch",
          .summary = "Print a line for each change of a task, until Ctrl-C.",
          .description =
              "A line has the state, the task, its function and a note; with -o jsonl, what "
              "happened and the task. Changes that come faster than they are read become one. GAP "
              "says that some may be missing: --existing tells what is there again. The watch "
              "outlasts a restart of control; --timeout ends it.",
          .flags = std::move(flags),
          .waits = true,
          .run = RunTasksWatch};
}

}  // namespace

std::vector<FlagSpec> SpecFlags() {
  std::vector<FlagSpec> flags = SpawnFlags();
  // A schedule's tasks come after nothing (docs/schedules.md).
  std::erase_if(flags, [](const FlagSpec& flag) {
    return flag.name == "wait" || flag.name == "count" || flag.name == "inputs" ||
           flag.name == "request_id" || flag.name == "completion" ||
           flag.name == "completion_input" || flag.name == "after" || flag.name == "if_succeeded";
  });
  return flags;
}

Verb SpawnVerb() {
  return {
      .name = "spawn",
      .arguments = "FUNCTION [INPUT]",
      .summary = "Spawn a task.",
      .description =
          "INPUT is handed to the function as it is: \"-\" reads it from standard input, \"@FILE\" "
          "from a file; one of more than 1 MiB is uploaded first, as payloads put does. Prints the "
          "task's name; with --wait, that goes to standard error first, and the output to standard "
          "output, byte for byte. The wait outlasts a restart of control. "
          "Ctrl-C ends it, not the task, and says how to go on.",
      .arguments_min = 1,
      .arguments_max = 2,
      .flags = SpawnFlags(),
      .run = RunSpawn,
  };
}

std::vector<Verb> TaskVerbs() {
  return {
      ListVerb("tasks", "List tasks, newest first."),
      ListVerb("tasks list", "As tasks: list them, newest first."),
      WatchVerb(),
      {
          .name = "tasks count",
          .summary = "Count tasks by their states.",
          .flags = TaskFilterFlags(),
          .run = RunTasksCount,
      },
      {
          .name = "tasks explain",
          .arguments = "TASK",
          .summary = "Say why a task waits, and when it is expected to start.",
          .arguments_min = 1,
          .arguments_max = 1,
          .flags = {TenantFlag()},
          .run = RunTasksExplain,
      },
      {
          .name = "get",
          .arguments = "TASK",
          .summary = "Show a task with its attempts.",
          .description =
              "TASK is a resource name, QUEUE/ID, or the ID of a task in the queue \"default\".",
          .arguments_min = 1,
          .arguments_max = 1,
          .flags = {ViewFlag("basic (no input or output), output or full (default)."), RawFlag(),
                    TenantFlag()},
          .run = RunGet,
      },
      {
          .name = "wait",
          .arguments = "TASK...",
          .summary = "Wait until tasks have ended.",
          .description = "Succeeds only if all of them SUCCEEDED. --timeout bounds the wait, which "
                         "outlasts a restart of control.",
          .arguments_min = 1,
          .arguments_max = kTasksMax,
          .flags = {ViewFlag("basic (no input or output), output (default) or full."), RawFlag(),
                    TenantFlag()},
          .waits = true,
          .run = RunWait,
      },
      {
          .name = "cancel",
          .arguments = "TASK...",
          .summary = "Cancel tasks, also running ones.",
          .description = "Fails for a task that had already ended otherwise.",
          .arguments_min = 1,
          .arguments_max = kTasksMax,
          .flags = {{"reason", "TEXT", "Kept in the task's error."},
                    DescendantsFlag(),
                    TenantFlag()},
          .run = RunCancel,
      },
  };
}

}  // namespace grove::client::cli
