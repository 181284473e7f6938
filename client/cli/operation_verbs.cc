#include <string_view>

#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

constexpr size_t kRestartedMax = 256;

FlagSpec NoWaitFlag() {
  return {"no_wait", "", "Print the operation's name, and do not wait for its end."};
}

// One that begins an operation.
Verb OperationVerb(const char* name, const char* arguments, const char* summary,
                   const char* description, absl::Status (*run)(Command&)) {
  const std::string_view takes = arguments;
  return {
      .name = name,
      .arguments = arguments,
      .summary = summary,
      .description = description,
      .arguments_min = takes.empty() || takes.starts_with("[") ? 0u : 1u,
      .arguments_max = takes.empty() ? 0u : 1u,
      .flags = {NoWaitFlag()},
      .waits = true,
      .run = run,
  };
}

}  // namespace

std::vector<Verb> OperationVerbs() {
  std::vector<Verb> verbs = {
      OperationVerb("scale", "WORKERS", "Change how many workers there are: 8, +1 or -2.",
                    "Lasts until the daemon restarts. Workers that go finish what runs. Waits, as "
                    "all of these verbs do, until it is done, over a restart of control too; "
                    "Ctrl-C ends the wait, not the operation.",
                    RunScale),
      OperationVerb("restart", "[WORKER...]", "Replace workers one after the other.",
                    "Takes WORKERs, or --all, or --control. Requests and tasks under way end with "
                    "the old one.",
                    RunRestart),
      OperationVerb("drain", "", "Have the daemon finish what runs, and end.",
                    "As SIGTERM. Asks first on a terminal.", RunDrain),
      OperationVerb("reload", "", "Have the daemon read its config again.",
                    "As SIGHUP. A config that is wrong changes nothing: all that is wrong is "
                    "printed, and the verb fails.",
                    RunReload),
      OperationVerb("upgrade", "[PROGRAM]", "Have the daemon go on as the program now on disk.",
                    "As SIGUSR2. No connection is refused; where the new program does not get "
                    "ready, the old one goes on and the verb fails. PROGRAM is a path on the "
                    "daemon's machine; the one it was started as if not given.",
                    RunUpgrade),
      OperationVerb("loglevel", "[LEVEL]", "Set the log level of all the daemon's processes.",
                    "debug, info, warning or error; the config's if not given. Lasts until the "
                    "next reload or restart.",
                    RunLogLevel),
  };
  verbs[1].arguments_max = kRestartedMax;
  verbs[1].flags = {{"all", "", "All workers."},
                    {"control", "", "Control instead; running tasks go on."},
                    NoWaitFlag()};
  verbs[2].flags = {{"old_generation", "",
                     "Only the workers that a reload, restart or upgrade has yet to replace, all "
                     "at once; as SIGWINCH."},
                    {"yes", "", "Do not ask."},
                    NoWaitFlag()};
  return verbs;
}

std::vector<Verb> OperationViews() {
  return {
      {
          .name = "operations",
          .summary = "List what operators had the daemon do, newest first.",
          .flags = {{"limit", "N", "At most N operations; 50 if not given."}},
          .run = RunOperations,
      },
      {
          .name = "operation",
          .arguments = "OPERATION",
          .summary = "Show an operation, or wait for its end.",
          .description = "OPERATION is its number, or operations/NUMBER. With --watch it fails "
                         "unless the operation SUCCEEDED.",
          .arguments_min = 1,
          .arguments_max = 1,
          .flags = {{"watch", "", "Wait until it has ended, and say how."}},
          .run = RunOperation,
      },
      {
          .name = "config",
          .arguments = "[FILE]",
          .summary = "Print the config in force, or what a reload would change.",
          .description =
              "Secrets are masked. FILE goes with --diff: a path on the daemon's machine; the "
              "daemon's own file if not given. With --diff the exit status is that of diff(1): 0 "
              "no change, 1 changes, 2 trouble, such as a file that is wrong.",
          .arguments_max = 1,
          .flags = {{"defaults", "", "Also print what has its default."},
                    {"diff", "", "Print each change that a reload would make, and its effect."}},
          .run = RunConfig,
      },
  };
}

}  // namespace grove::client::cli
