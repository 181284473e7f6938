#include "client/cli/verbs.h"

#include <string_view>

namespace grove::client::cli {
namespace {

constexpr size_t kTasksMax = 10000;
constexpr size_t kRestartedMax = 256;
constexpr size_t kWordsMax = 100000;

FlagSpec ViewFlag(const char* help) {
  return {"view", "VIEW", help};
}

FlagSpec RawFlag() {
  return {"raw", "", "Print the output alone, as it is."};
}

FlagSpec TenantFlag() {
  return {"tenant", "TENANT", "Tenant of short names; \"default\" if not given."};
}

std::vector<FlagSpec> SpawnFlags() {
  return {
      {"wait", "", "Wait for the end, print the output, and succeed only if the task SUCCEEDED."},
      {"count", "N", "Spawn N tasks in batches; with --wait, print a summary."},
      {"inputs", "@FILE",
       "Spawn a task for each line of FILE, or of standard input if it is \"-\" (NDJSON)."},
      {"queue", "QUEUE", "Queue to put the task in; \"default\" if not given."},
      TenantFlag(),
      {"priority", "P", "0 (default) to 9; higher runs first in a PRIORITY queue."},
      {"delay", "DURATION", "Start no sooner than this from now, such as 5s."},
      {"task_timeout", "DURATION", "Bound on each attempt; the function's own if not given."},
      {"max_attempts", "N", "Attempts before the task has failed; 1 if not given."},
      {"request_id", "ID", "Spawning the same again returns the first task; another is refused."},
      {"label", "KEY=VALUE", "Label to attach; may be repeated."},
      {"volatile", "", "Keep the task in memory only: faster, lost when control is restarted."},
      {"content_type", "TYPE", "Type of INPUT; application/json if not given."},
  };
}

Verb SpawnVerb() {
  return {
      .name = "spawn",
      .arguments = "FUNCTION [INPUT]",
      .summary = "Spawn a task.",
      .description =
          "INPUT is handed to the function as it is: \"-\" reads it from standard input, \"@FILE\" "
          "from a file. Prints the task's name; with --wait, that goes to standard error first, "
          "and "
          "the output to standard output, byte for byte. The wait outlasts a restart of control. "
          "Ctrl-C ends it, not the task, and says how to go on.",
      .arguments_min = 1,
      .arguments_max = 2,
      .flags = SpawnFlags(),
      .run = RunSpawn,
  };
}

std::vector<Verb> TaskVerbs() {
  return {
      {
          .name = "tasks",
          .summary = "List tasks, newest first.",
          .flags = {{"state", "STATE,STATE", "Only tasks in these states, such as QUEUED,RUNNING."},
                    {"queue", "QUEUE", "Only tasks of this queue."},
                    TenantFlag(),
                    {"function", "FUNCTION", "Only tasks of this function."},
                    {"limit", "N", "At most N tasks; 100 if not given."},
                    ViewFlag("basic (default: no inputs or outputs), output or full.")},
          .run = RunTasks,
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
          .flags = {{"reason", "TEXT", "Kept in the task's error."}, TenantFlag()},
          .run = RunCancel,
      },
  };
}

std::vector<Verb> InspectVerbs() {
  return {
      {
          .name = "queues",
          .arguments = "[QUEUE]",
          .summary = "List queues, of all tenants unless --tenant is given, or show one.",
          .arguments_max = 1,
          .flags = {TenantFlag()},
          .run = RunQueues,
      },
      {
          .name = "pools",
          .arguments = "[POOL]",
          .summary = "List pools, of all tenants unless --tenant is given, or show one.",
          .arguments_max = 1,
          .flags = {TenantFlag()},
          .run = RunPools,
      },
      {
          .name = "pools resize",
          .arguments = "POOL SIZE",
          .summary = "Change how many tasks a pool runs at once.",
          .description =
              "Lasts until the daemon restarts: the configuration is the source of the size.",
          .arguments_min = 2,
          .arguments_max = 2,
          .flags = {TenantFlag()},
          .run = RunPoolsResize,
      },
      {
          .name = "workers",
          .summary = "List worker processes.",
          .run = RunWorkers,
      },
      {
          .name = "fibers",
          .arguments = "[FIBER]",
          .summary = "List the fibers inside the workers, or show one with its stack.",
          .description = "FIBER is WORKER/ID, as the list shows it.",
          .arguments_max = 1,
          .flags = {{"worker", "WORKER", "Only this worker's."},
                    {"stacks", "", "Show where each stands: the functions on its stack."},
                    {"limit", "N", "At most N fibers; 1000 if not given, 100 with --stacks."}},
          .run = RunFibers,
      },
      {
          .name = "functions",
          .summary = "List the functions tasks may name.",
          .run = RunFunctions,
      },
      {
          .name = "backdoor",
          .summary = "Open a Lua prompt inside a live worker.",
          .description =
              "Reads lines until the end of input or \"quit\". On a terminal they are edited, and "
              "kept in a history; Ctrl-C ends a line, Ctrl-D the session. Elsewhere results alone "
              "are printed, and an error makes it fail.",
          .flags = {{"worker", "WORKER", "Worker to open; required."},
                    {"command", "LUA", "Run this, print its result, and fail if it does.", 'c'}},
          .waits = true,
          .run = RunBackdoor,
      },
  };
}

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

Verb ContextVerb(const char* name, const char* arguments, const char* summary,
                 absl::Status (*run)(Command&)) {
  const std::string_view takes = arguments;
  return {
      .name = name,
      .arguments = arguments,
      .summary = summary,
      .arguments_min = takes.empty() || takes.starts_with("[") ? 0u : 1u,
      .arguments_max = takes.empty() ? 0u : 1u,
      .needs = Verb::Needs::kNothing,
      .run = run,
  };
}

std::vector<Verb> ContextVerbs() {
  std::vector<Verb> verbs = {
      ContextVerb("context list", "", "List the daemons that have a name.", RunContextList),
      ContextVerb("context use", "CONTEXT", "Talk to this one from now on.", RunContextUse),
      ContextVerb("context show", "[CONTEXT]", "Show one, or the one in use.", RunContextShow),
      ContextVerb("context set", "NAME", "Name a daemon, or change what a name stands for.",
                  RunContextSet),
      ContextVerb("context delete", "CONTEXT", "Forget a name.", RunContextDelete),
  };
  verbs[3].description =
      "Takes --address, --ca_cert and --token_file; what is not given stays as it is. The first "
      "name is in use at once.";
  return verbs;
}

std::vector<Verb> LocalVerbs() {
  return {
      {
          .name = "version",
          .summary = "Print grovectl's version.",
          .needs = Verb::Needs::kNothing,
          .run = RunVersion,
      },
      {
          .name = "help",
          .arguments = "[VERB]",
          .summary = "Explain grovectl or a verb.",
          .arguments_max = 2,
          .needs = Verb::Needs::kNothing,
          .run = RunHelp,
      },
      {
          .name = "completion",
          .arguments = "SHELL",
          .summary = "Print a script that makes bash, zsh or fish complete grovectl's words.",
          .description =
              "bash: source <(grovectl completion bash); zsh: the same with zsh, after compinit; "
              "fish: grovectl completion fish | source. Functions, queues, pools, workers, "
              "tasks "
              "and operations are asked of the daemon.",
          .arguments_min = 1,
          .arguments_max = 1,
          .needs = Verb::Needs::kNothing,
          .run = RunCompletion,
      },
      {
          .name = "__complete",
          .arguments = "[WORD...]",
          .summary = "Print what the last WORD may become.",
          .arguments_max = kWordsMax,
          .needs = Verb::Needs::kNothing,
          .hidden = true,
          .run = RunComplete,
      },
  };
}

std::vector<Verb> AllVerbs() {
  std::vector<Verb> all = {SpawnVerb()};
  for (const auto& some : {TaskVerbs(), InspectVerbs(), OperationVerbs(), OperationViews(),
                           ContextVerbs(), LocalVerbs()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace

const std::vector<Verb>& Verbs() {
  static const auto* const kVerbs = new std::vector<Verb>(AllVerbs());
  return *kVerbs;
}

const std::vector<FlagSpec>& GlobalFlags() {
  static const auto* const kFlags = new std::vector<FlagSpec>{
      {"context", "CONTEXT", "Daemon of this name; else the one in use (grovectl context use)."},
      {"address", "HOST:PORT",
       "The daemon's control address; else $GROVE_ADDRESS, else the context's, else "
       "127.0.0.1:8091."},
      {"token", "TOKEN", "Sent as bearer token; else --token_file, else $GROVE_TOKEN."},
      {"token_file", "FILE", "File that holds the token: keeps it out of the process list."},
      {"ca_cert", "FILE",
       "Speak TLS, and trust certificates that this PEM file's authorities signed."},
      {"timeout", "SECONDS",
       "Longest a call (30 if not given) or a wait (no bound if not given) may take."},
      {"output", "FORMAT", "table (default), wide, name, json, jsonl or yaml.", 'o'},
      {"no_headers", "", "Tables without their first line; also --no-headers."},
      {"color", "WHEN", "auto (default: on a terminal, unless $NO_COLOR is set), always or never."},
      {"version", "", "Print grovectl's version."},
      {"help", "", "Explain grovectl or the verb.", 'h'},
  };
  return *kFlags;
}

const Verb* FindVerb(std::string_view name) {
  for (const Verb& verb : Verbs()) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

}  // namespace grove::client::cli
