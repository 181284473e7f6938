// The verbs by topic; verbs.cc puts them together.

#ifndef GROVE_CLIENT_CLI_VERB_GROUPS_H_
#define GROVE_CLIENT_CLI_VERB_GROUPS_H_

#include <vector>

#include "client/cli/verbs.h"

namespace grove::client::cli {

// --tenant, which most of them take.
FlagSpec TenantFlag();

// --descendants, of what cancels tasks that are named.
FlagSpec DescendantsFlag();

// --etag, of what changes a thing that has one.
FlagSpec EtagFlag();

// Of one thing, which it names: `argument` is what help calls it.
Verb OneVerb(const char* name, const char* argument, const char* summary, const char* description,
             std::vector<FlagSpec> flags, absl::Status (*run)(Command&));
// Lists those of a tenant, or of all.
Verb TenantListVerb(const char* name, const char* summary, absl::Status (*run)(Command&));

Verb SpawnVerb();
// Those of its flags that say what a task is to be.
std::vector<FlagSpec> SpecFlags();
std::vector<Verb> TaskVerbs();
// What is done to tasks and queues that are there.
std::vector<Verb> ChangeVerbs();
std::vector<Verb> QueueChangeVerbs();
std::vector<Verb> InspectVerbs();
std::vector<Verb> OperationVerbs();
std::vector<Verb> OperationViews();

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_VERB_GROUPS_H_
