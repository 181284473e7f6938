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
