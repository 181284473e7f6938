#include <utility>

#include "client/cli/task_filter_flags.h"
#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

constexpr size_t kTasksMax = 10000;

FlagSpec DryRunFlag() {
  return {"dry_run", "", "Change nothing; say how many would be changed."};
}

FlagSpec YesFlag() {
  return {"yes", "", "Do not ask."};
}

// One that takes TASKs, or changes all that its flags choose.
Verb ChangeVerb(const char* name, const char* summary, const char* description,
                absl::Status (*run)(Command&), std::vector<FlagSpec> own = {}) {
  std::vector<FlagSpec> flags = std::move(own);
  for (FlagSpec& flag : TaskFilterFlags()) flags.push_back(std::move(flag));
  flags.push_back({"all", "", "All tasks of the tenant."});
  flags.push_back({"limit", "N", "At most N tasks, the oldest; all if not given."});
  flags.push_back(DryRunFlag());
  flags.push_back(YesFlag());
  return {
      .name = name,
      .arguments = "[TASK...]",
      .summary = summary,
      .description = description,
      .arguments_max = kTasksMax,
      .flags = std::move(flags),
      .run = run,
  };
}

FlagSpec ReasonFlag(const char* help) {
  return {"reason", "TEXT", help};
}

Verb QueueVerb(const char* name, const char* summary, const char* description,
               absl::Status (*run)(Command&), std::vector<FlagSpec> own = {}) {
  own.push_back(TenantFlag());
  return OneVerb(name, "QUEUE", summary, description, std::move(own), run);
}

}  // namespace

std::vector<Verb> ChangeVerbs() {
  return {
      ChangeVerb("tasks cancel", "Cancel tasks, also running ones.",
                 "Takes TASKs, or changes all that the flags choose: counts them, shows some, and "
                 "asks on a terminal; elsewhere it needs --yes. Tasks to which this cannot be done "
                 "are passed over then. So do all of these verbs.",
                 RunTasksCancel, {ReasonFlag("Kept in the tasks' errors."), DescendantsFlag()}),
      ChangeVerb("tasks force-cancel", "Cancel tasks whose attempts do not stop.",
                 "Also gives the room of their attempts back, without the workers' word.",
                 RunTasksForceCancel,
                 {ReasonFlag("Kept in the tasks' errors."), DescendantsFlag()}),
      ChangeVerb("tasks pause", "Start no attempt of tasks until they are resumed.",
                 "Attempts that run go on.", RunTasksPause,
                 {ReasonFlag("Shown with the tasks meanwhile.")}),
      ChangeVerb("tasks resume", "Let paused tasks take their turn.", "", RunTasksResume),
      ChangeVerb("tasks retry", "Run ended tasks again, or start scheduled ones now.",
                 "They keep their names and get as many attempts as at first.", RunTasksRetry,
                 {{"as_new", "", "Spawn new tasks from their specs, and leave them as they are."}}),
      ChangeVerb("tasks delete", "Forget ended tasks.", "", RunTasksDelete),
      ChangeVerb(
          "tasks update", "Change the priority, start, labels or limit keys of tasks.",
          "Limit keys of tasks that wait alone.", RunTasksUpdate,
          {{"priority", "P", "0 to 9; higher runs first in a PRIORITY queue."},
           {"delay", "DURATION", "Start no sooner than this from now, such as 5s."},
           {"start", "TIME", "Start no sooner than 2026-11-29T10:00:00Z, or 5m from now."},
           {"set_label", "KEY=VALUE", "Label to have instead of all others; may be repeated."},
           {"no_labels", "", "Have no labels."},
           {"set_limit_key", "KEY", "Limit key to have instead of all others; once or twice."},
           {"no_limit_keys", "", "Have no limit keys."}}),
  };
}

std::vector<Verb> QueueChangeVerbs() {
  return {
      QueueVerb("queues pause", "Start no task of a queue until it is resumed.",
                "It still accepts tasks; what runs goes on. Lasts over restarts of the daemon.",
                RunQueuesPause, {ReasonFlag("Shown with the queue meanwhile.")}),
      QueueVerb("queues resume", "Let a paused queue start tasks.",
                "Also one that the config pauses.", RunQueuesResume),
      QueueVerb("queues purge", "Cancel all tasks of a queue that wait.",
                "What runs goes on. Asks on a terminal; elsewhere it needs --yes.", RunQueuesPurge,
                {ReasonFlag("Kept in the tasks' errors."), DryRunFlag(), YesFlag()}),
  };
}

}  // namespace grove::client::cli
