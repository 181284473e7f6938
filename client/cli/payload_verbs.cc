#include "client/cli/payload_verbs.h"

#include "client/cli/verb_groups.h"

namespace grove::client::cli {
namespace {

// Of one payload, which it names.
Verb PayloadVerb(const char* name, const char* summary, absl::Status (*run)(Command&)) {
  return OneVerb(name, "PAYLOAD", summary, "", {TenantFlag()}, run);
}

Verb PutVerb() {
  return {
      .name = "payloads put",
      .arguments = "FILE",
      .summary = "Upload a file of any size, and print the payload's name.",
      .description =
          "\"-\" is standard input. A task takes it with spawn --input_payload, a schedule with "
          "schedules create --input_payload; until one does, it is kept for "
          "tasks.payload_retention_ms, then it lives as long as its tasks and schedules.",
      .arguments_min = 1,
      .arguments_max = 1,
      .flags = {{"content_type", "TYPE", "What it is; application/octet-stream if not given."},
                TenantFlag()},
      .run = RunPayloadsPut,
  };
}

Verb GetVerb() {
  Verb verb = PayloadVerb("payloads get", "Download a payload.", RunPayloadsGet);
  verb.description =
      "Writes to standard output, or with --to to a file. What an earlier, broken download has "
      "left in FILE.part is not asked for again; the hash of all of it is checked.";
  verb.flags = {{"to", "FILE", "Write to this file; what is there of it already stays."},
                TenantFlag()};
  return verb;
}

}  // namespace

std::vector<Verb> PayloadVerbs() {
  return {
      TenantListVerb("payloads", "List payloads, the oldest first; also \"payloads list\".",
                     RunPayloads),
      TenantListVerb("payloads list", "List payloads, the oldest first.", RunPayloads),
      PayloadVerb("payloads show", "Show what a payload is, and how long it lives.",
                  RunPayloadsShow),
      PutVerb(),
      GetVerb(),
      PayloadVerb("payloads delete", "Delete a payload that no task or schedule names.",
                  RunPayloadsDelete),
  };
}

}  // namespace grove::client::cli
