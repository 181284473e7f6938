#include "client/cli/verbs.h"

#include <string_view>
#include <utility>

#include "client/cli/payload_verbs.h"
#include "client/cli/schedule_verbs.h"
#include "client/cli/tenant_verbs.h"
#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

constexpr size_t kWordsMax = 100000;

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
      "Takes --address, --ca_cert, --client_cert, --client_key and --token_file; what is not given "
      "stays as it is. The first name is in use at once.";
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
              "tasks, schedules, payloads, tenants and operations are asked of the daemon.",
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
  for (const auto& some :
       {TaskVerbs(), ChangeVerbs(), InspectVerbs(), QueueChangeVerbs(), ScheduleVerbs(),
        PayloadVerbs(), TenantVerbs(), TokenVerbs(), LimitVerbs(), OperationVerbs(),
        OperationViews(), ContextVerbs(), LocalVerbs()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace

FlagSpec TenantFlag() {
  return {"tenant", "TENANT", "Tenant of short names; the token's, or \"default\", if not given."};
}

FlagSpec DescendantsFlag() {
  return {"descendants", "", "Also the tasks that theirs have spawned, and so on."};
}

FlagSpec EtagFlag() {
  return {"etag", "ETAG", "Only if nobody has changed it since this etag was read."};
}

Verb OneVerb(const char* name, const char* argument, const char* summary, const char* description,
             std::vector<FlagSpec> flags, absl::Status (*run)(Command&)) {
  return {
      .name = name,
      .arguments = argument,
      .summary = summary,
      .description = description,
      .arguments_min = 1,
      .arguments_max = 1,
      .flags = std::move(flags),
      .run = run,
  };
}

Verb TenantListVerb(const char* name, const char* summary, absl::Status (*run)(Command&)) {
  return {.name = name,
          .summary = summary,
          .flags = {{"tenant", "TENANT",
                     "Whose; the token's tenant, or \"default\", if not given; \"-\" for all."}},
          .run = run};
}

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
      {"client_cert", "FILE",
       "Show this PEM file's certificate, where the daemon knows callers by theirs."},
      {"client_key", "FILE", "Its private key, in PEM form."},
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
