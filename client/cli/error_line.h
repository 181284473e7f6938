// ErrorLine: one line that says what went wrong, where, and what to do.

#ifndef GROVE_CLIENT_CLI_ERROR_LINE_H_
#define GROVE_CLIENT_CLI_ERROR_LINE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace grove::client::cli {

// The message with the code, the server's reason, wrong fields and retry delay; on one line,
// harmless to a terminal.
std::string DescribeError(const absl::Status& status);

// A failure that its message says in full: shown without a code.
absl::Status PlainError(std::string_view message);

// Fails without a line: what was printed says all.
absl::Status SilentFailure();
bool IsSilent(const absl::Status& status);

// `status`, which is to end grovectl with this code.
absl::Status WithExitCode(absl::Status status, int code);
std::optional<int> ExitCodeOf(const absl::Status& status);

// "grovectl: VERB: …" without a line end. A daemon that cannot be reached is named by its
// `address`.
std::string ErrorLine(std::string_view verb, const absl::Status& status, std::string_view address);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_ERROR_LINE_H_
