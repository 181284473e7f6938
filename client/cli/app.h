// App: one run of grovectl, from its command line to its exit code.

#ifndef GROVE_CLIENT_CLI_APP_H_
#define GROVE_CLIENT_CLI_APP_H_

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace grove::client::cli {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
// 128 and the number of SIGINT, as shells say it.
inline constexpr int kExitInterrupted = 130;

// `line` without the program's name.
int RunApp(const std::vector<std::string>& line, Shell& shell);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_APP_H_
