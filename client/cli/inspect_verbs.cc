#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

Verb FairnessVerb() {
  return {
      .name = "fairness",
      .summary = "Show how tenants share the workers, and what was fair over the last 10 s.",
      .description =
          "SHARE and FAIR are parts of the worker time that attempts held slots for, TIME is "
          "that time, GAP the longest that a tenant had tasks waiting and none running. Jain is 1 "
          "where all that waited got the same part of what was fair.",
      .flags = {{"tenant", "TENANT", "Only this tenant's share."},
                {"watch", "", "Again and again, until Ctrl-C."},
                {"interval", "SECONDS", "Between two looks of --watch; 2 if not given."},
                {"count", "N", "End --watch after N looks."},
                {"limit", "N",
                 "At most N tenants, those with the most worker time; 1000 if not "
                 "given, 20 with --watch."}},
      .waits = true,
      .run = RunFairness,
  };
}

Verb BenchVerb() {
  return {
      .name = "bench",
      .summary = "Spawn tasks for a while, and say how many there were a second, and how soon.",
      .description =
          "As fast as --concurrency callers can, or at --rate: then a task counts from when it was "
          "due, so that what a slow daemon holds up is not left out. With -o json, all figures are "
          "one document. Ctrl-C ends it with the results so far.",
      .flags = {{"function", "FUNCTION", "What the tasks run; echo if not given."},
                {"input", "JSON", "What each is given; {} if not given."},
                {"queue", "QUEUE", "Queue to put them in; \"default\" if not given."},
                TenantFlag(),
                {"rate", "R", "Tasks a second; as fast as it goes if not given."},
                {"concurrency", "N", "Callers, 1 (default) to 256, each with one call at a time."},
                {"duration", "DURATION", "For so long; 10s if neither this nor --count is given."},
                {"count", "N", "So many tasks."},
                {"batch", "N", "Tasks of each call; 1 if not given."},
                {"stream", "", "Each caller streams, --batch tasks a message."},
                {"durable", "", "Tasks are on disk before they count (default)."},
                {"volatile", "", "Tasks are in memory only."},
                {"wait", "", "Wait for their ends, too, and say how soon they came."}},
      .waits = true,
      .run = RunBench,
  };
}

Verb BackdoorVerb() {
  return {
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
  };
}

Verb InjectVerb() {
  return {
      .name = "inject",
      .arguments = "METHOD PATH",
      .summary = "Send one HTTP request into a worker, past the network.",
      .description =
          "What the worker does is what it does for every request: limits, middleware, routes, "
          "handlers, access log. Prints status, headers and body; how long it took, and why a body "
          "is not whole, goes to standard error. It may change something, and is in the audit log. "
          "No WebSocket: that needs a connection of its own.",
      .arguments_min = 2,
      .arguments_max = 2,
      .flags = {{"header", "NAME:VALUE", "A header; again and again.", 'H'},
                {"data", "TEXT", "The body; @FILE, or - for standard input.", 'd'},
                {"worker", "WORKER", "Into this one; the first that takes it if not given."},
                {"body", "", "Print the answer's body alone."},
                {"body_bytes_max", "BYTES", "Of the answer's body; 65536 if not given."}},
      .waits = true,
      .run = RunInject,
  };
}

}  // namespace

std::vector<Verb> InspectVerbs() {
  return {
      {
          .name = "queues",
          .arguments = "[QUEUE]",
          .summary = "List queues, of all tenants unless --tenant is given, or show one.",
          .arguments_max = 1,
          .flags = {TenantFlag(),
                    {"watch", "", "Those that have changed, again and again, until Ctrl-C."},
                    {"interval", "SECONDS",
                     "No sooner after each other with --watch; 1 if not given."},
                    {"count", "N", "End --watch after it has printed N times."}},
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
      FairnessVerb(),
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
      BackdoorVerb(),
      InjectVerb(),
      BenchVerb(),
  };
}

}  // namespace grove::client::cli
