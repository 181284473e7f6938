// Colors: which states and messages stand out on a terminal.
//
// Pure. The eight colors that every terminal has, in the shades its owner chose.

#ifndef GROVE_CLIENT_CLI_COLOR_H_
#define GROVE_CLIENT_CLI_COLOR_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::client::cli {

// "always" and "never" as they say; "auto": on a terminal that is not "dumb", unless NO_COLOR is
// set and not empty. Anything else is a usage error.
absl::StatusOr<bool> WantsColor(
    const std::string& choice, bool is_terminal,
    const std::function<std::optional<std::string>(const char*)>& environment);

// The name of a state: green if all is well, red if something failed, yellow in between; others as
// they are.
std::string ColoredState(std::string_view state);

std::string Red(std::string_view text);
std::string Green(std::string_view text);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_COLOR_H_
