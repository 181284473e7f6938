// Target: the daemon that a command line, the environment and the contexts name.
//
// What is typed beats a context that is typed, that beats the environment, and that the current
// context. A context's token, authorities and certificate go to no other address than its own,
// unless
// --context and --address stand side by side.

#ifndef GROVE_CLIENT_CLI_TARGET_H_
#define GROVE_CLIENT_CLI_TARGET_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cli/arguments.h"
#include "client/cli/command.h"

namespace grove::client::cli {

struct Target {
  std::string address;
  std::string ca_cert;
  std::string token;
  std::string client_cert;
  std::string client_key;
};

// Reads the token's file and, where it is asked, that of the contexts. Blocks.
absl::StatusOr<Target> FindTarget(const Arguments& arguments, const Environment& environment);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TARGET_H_
