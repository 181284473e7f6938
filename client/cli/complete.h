// Completion: what a half-typed command line may become.
//
// `grovectl __complete -- WORD...` prints it for the shells, which know nothing themselves: a line
// for each candidate of the last word, "CANDIDATE\tDESCRIPTION", and the line ":files" where a
// file's name may stand, too. Asks the daemon for what lives there, and waits no second for it.

#ifndef GROVE_CLIENT_CLI_COMPLETE_H_
#define GROVE_CLIENT_CLI_COMPLETE_H_

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace grove::client::cli {

struct Candidate {
  std::string word;
  std::string description;
};

struct Completion {
  std::vector<Candidate> candidates;
  bool files = false;
};

// `words`: those behind "grovectl", of which the last one, maybe empty, is being typed. Blocks.
Completion Complete(const std::vector<std::string>& words, const Environment& environment);

// Empty: no such shell.
std::string CompletionScript(const std::string& shell);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_COMPLETE_H_
