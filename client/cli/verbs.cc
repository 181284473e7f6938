#include "client/cli/verbs.h"

namespace grove::client::cli {
namespace {

constexpr size_t kTasksMax = 10000;

FlagSpec TenantFlag() {
  return {"tenant", "TENANT", "Tenant of short names; \"default\" if not given."};
}

std::vector<FlagSpec> SpawnFlags() {
  return {
      {"wait", "", "Wait for the end, print the output, and succeed only if the task SUCCEEDED."},
      {"count", "N", "Spawn N tasks in batches; with --wait, print a summary."},
      {"queue", "QUEUE", "Queue to put the task in; \"default\" if not given."},
      TenantFlag(),
      {"priority", "P", "0 (default) to 9; higher runs first in a PRIORITY queue."},
      {"delay", "DURATION", "Start no sooner than this from now, such as 5s."},
      {"task_timeout", "DURATION", "Bound on each attempt; the function's own if not given."},
      {"max_attempts", "N", "Attempts before the task has failed; 1 if not given."},
      {"request_id", "ID", "Spawning again with the same id returns the first task."},
      {"label", "KEY=VALUE", "Label to attach; may be repeated."},
      {"volatile", "", "Keep the task in memory only: faster, lost when the daemon ends."},
      {"content_type", "TYPE", "Type of INPUT; application/json if not given."},
  };
}

Verb SpawnVerb() {
  return {"spawn",
          "FUNCTION [INPUT]",
          "Spawn a task.",
          "INPUT is handed to the function as it is: \"-\" reads it from standard input, \"@FILE\" "
          "from a file. "
          "Prints the task's name.",
          1,
          2,
          SpawnFlags(),
          Verb::Needs::kDaemon,
          RunSpawn};
}

std::vector<Verb> TaskVerbs() {
  return {
      {"tasks",
       "",
       "List tasks, newest first.",
       "",
       0,
       0,
       {{"state", "STATE,STATE", "Only tasks in these states, such as QUEUED,RUNNING."},
        {"queue", "QUEUE", "Only tasks of this queue."},
        TenantFlag(),
        {"function", "FUNCTION", "Only tasks of this function."},
        {"limit", "N", "At most N tasks; 100 if not given."}},
       Verb::Needs::kDaemon,
       RunTasks},
      {"get",
       "TASK",
       "Show a task with its attempts.",
       "TASK is a resource name, QUEUE/ID, or the ID of a task in the queue \"default\".",
       1,
       1,
       {TenantFlag()},
       Verb::Needs::kDaemon,
       RunGet},
      {"wait",
       "TASK...",
       "Wait until tasks have ended.",
       "Succeeds only if all of them SUCCEEDED. --timeout bounds the wait.",
       1,
       kTasksMax,
       {TenantFlag()},
       Verb::Needs::kDaemon,
       RunWait},
      {"cancel",
       "TASK...",
       "Cancel tasks, also running ones.",
       "Fails for a task that had already ended otherwise.",
       1,
       kTasksMax,
       {{"reason", "TEXT", "Kept in the task's error."}, TenantFlag()},
       Verb::Needs::kDaemon,
       RunCancel},
  };
}

std::vector<Verb> InspectVerbs() {
  return {
      {"queues",
       "[QUEUE]",
       "List queues, of all tenants unless --tenant is given, or show one.",
       "",
       0,
       1,
       {TenantFlag()},
       Verb::Needs::kDaemon,
       RunQueues},
      {"pools",
       "[POOL]",
       "List pools, of all tenants unless --tenant is given, or show one.",
       "",
       0,
       1,
       {TenantFlag()},
       Verb::Needs::kDaemon,
       RunPools},
      {"pools resize",
       "POOL SIZE",
       "Change how many tasks a pool runs at once.",
       "Lasts until the daemon restarts: the configuration is the source of the size.",
       2,
       2,
       {TenantFlag()},
       Verb::Needs::kDaemon,
       RunPoolsResize},
      {"workers", "", "List worker processes.", "", 0, 0, {}, Verb::Needs::kDaemon, RunWorkers},
      {"fibers",
       "[FIBER]",
       "List the fibers inside the workers, or show one with its stack.",
       "FIBER is WORKER/ID, as the list shows it.",
       0,
       1,
       {{"worker", "N", "Only this worker's."},
        {"stacks", "", "Show where each stands: the functions on its stack."},
        {"limit", "N", "At most N fibers; 1000 if not given, 100 with --stacks."}},
       Verb::Needs::kDaemon,
       RunFibers},
      {"functions",
       "",
       "List the functions tasks may name.",
       "",
       0,
       0,
       {},
       Verb::Needs::kDaemon,
       RunFunctions},
      {"backdoor",
       "",
       "Open a Lua prompt inside a live worker.",
       "Reads lines until the end of input or \"quit\".",
       0,
       0,
       {{"worker", "N", "Worker to open; required."},
        {"command", "LINE", "Run this line and leave.", 'c'}},
       Verb::Needs::kDaemon,
       RunBackdoor},
  };
}

std::vector<Verb> LocalVerbs() {
  return {
      {"version", "", "Print grovectl's version.", "", 0, 0, {}, Verb::Needs::kNothing, RunVersion},
      {"help",
       "[VERB]",
       "Explain grovectl or a verb.",
       "",
       0,
       2,
       {},
       Verb::Needs::kNothing,
       RunHelp},
      {"completion",
       "[bash]",
       "Print a script that makes bash complete verbs and flags.",
       "Use it with: source <(grovectl completion)",
       0,
       1,
       {},
       Verb::Needs::kNothing,
       RunCompletion},
  };
}

std::vector<Verb> AllVerbs() {
  std::vector<Verb> all = {SpawnVerb()};
  for (const auto& some : {TaskVerbs(), InspectVerbs(), LocalVerbs()}) {
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
      {"address", "HOST:PORT",
       "The daemon's control address; else $GROVE_ADDRESS, else 127.0.0.1:8091."},
      {"token", "TOKEN", "Sent as bearer token; else --token_file, else $GROVE_TOKEN."},
      {"token_file", "FILE", "File that holds the token: keeps it out of the process list."},
      {"ca_cert", "FILE",
       "Speak TLS, and trust certificates that this PEM file's authorities signed."},
      {"timeout", "SECONDS",
       "Longest a call (30 if not given) or a wait (no bound if not given) may take."},
      {"output", "FORMAT", "table (default), json or yaml.", 'o'},
      {"help", "", "Explain grovectl or the verb.", 'h'},
  };
  return *kFlags;
}

const Verb* FindVerb(absl::string_view name) {
  for (const Verb& verb : Verbs()) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

}  // namespace grove::client::cli
