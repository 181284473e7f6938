// ErrorLine: one line that says what went wrong, where, and what to do.

#ifndef GROVE_CLIENT_CLI_ERROR_LINE_H_
#define GROVE_CLIENT_CLI_ERROR_LINE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grove::client::cli {

// The message with the code, the server's reason, wrong fields and retry delay; on one line,
// harmless to a terminal.
std::string DescribeError(const absl::Status& status);

// "grovectl: VERB: …" without a line end. A daemon that cannot be reached is named by its
// `address`.
std::string ErrorLine(absl::string_view verb, const absl::Status& status,
                      absl::string_view address);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_ERROR_LINE_H_
