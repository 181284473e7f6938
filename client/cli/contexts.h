// Contexts: the daemons that have a name in grovectl's config file.
//
// The file holds where a daemon listens and which files prove who is who; never a token itself. It
// is written whole, for its owner alone (0600). Errors name the file and the line.

#ifndef GROVE_CLIENT_CLI_CONTEXTS_H_
#define GROVE_CLIENT_CLI_CONTEXTS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/command.h"

namespace grove::client::cli {

struct Context {
  std::string address = {};
  // Paths; empty for none.
  std::string ca_cert = {};
  std::string token_file = {};
  std::string client_cert = {};
  std::string client_key = {};
};

struct Contexts {
  // Used where nothing else is asked for; may be empty.
  std::string current = {};
  std::map<std::string, Context> by_name = {};
};

// $GROVECTL_CONFIG, else grove/config.yaml below $XDG_CONFIG_HOME or ~/.config.
// FAILED_PRECONDITION: the environment names none of them.
absl::StatusOr<std::string> ContextsPath(const Environment& environment);

// Empty where there is no file.
absl::StatusOr<Contexts> ReadContexts(const std::string& path);
// `path` is for messages.
absl::StatusOr<Contexts> ParseContexts(const std::string& text, const std::string& path);

std::string ContextsText(const Contexts& contexts);

// Makes the folder, too.
absl::Status WriteContexts(const std::string& path, const Contexts& contexts);

// A usage error that names a near one.
absl::StatusOr<Context> FindContext(const Contexts& contexts, const std::string& name,
                                    const std::string& path);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_CONTEXTS_H_
