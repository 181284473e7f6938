// Verbs: everything grovectl can do, as one table.
//
// Parsing, help, completion and the man page's test all read this table.

#ifndef GROVE_CLIENT_CLI_VERBS_H_
#define GROVE_CLIENT_CLI_VERBS_H_

#include <string>
#include <string_view>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/command.h"

namespace grove::client::cli {

struct Verb {
  enum class Needs { kNothing, kDaemon };

  // One word, or two ("pools resize").
  std::string name;
  // "FUNCTION [INPUT]"; empty for none.
  std::string arguments = {};
  // One line.
  std::string summary;
  // What the summary leaves open; may be empty.
  std::string description = {};
  size_t arguments_min = 0;
  size_t arguments_max = 0;
  std::vector<FlagSpec> flags = {};
  Needs needs = Needs::kDaemon;
  // --timeout bounds the wait for what it begins, not a call.
  bool waits = false;
  // Called by scripts: no help shows it.
  bool hidden = false;
  absl::Status (*run)(Command& command);
};

const std::vector<Verb>& Verbs();

// Accepted before and after every verb.
const std::vector<FlagSpec>& GlobalFlags();

const Verb* FindVerb(std::string_view name);

std::string HelpText();
std::string HelpText(const Verb& verb);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_VERBS_H_
