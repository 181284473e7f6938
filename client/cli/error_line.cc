#include "client/cli/error_line.h"

#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "client/cli/arguments.h"
#include "client/cli/text.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

// What the server adds in BadRequest and QuotaFailure, unless the message says it already.
void AppendDetails(const absl::Status& status, std::string& out) {
  const auto add = [&](std::string_view subject, std::string_view description) {
    if (absl::StrContains(out, Abseil(description))) return;
    StrAppend(&out, "; ", subject, subject.empty() ? "" : ": ", description);
  };
  if (const auto request = BadRequestOf(status)) {
    for (const auto& violation : request->field_violations()) {
      add(violation.field(), violation.description());
    }
  }
  if (const auto quota = QuotaFailureOf(status)) {
    for (const auto& violation : quota->violations()) {
      add(violation.subject(), violation.description());
    }
  }
  if (const auto delay = RetryDelayOf(status)) {
    StrAppend(&out, "; try again in ", DurationText(*delay));
  }
}

// gRPC's own words for a channel that could not be opened; a server's UNAVAILABLE carries an
// ErrorInfo.
bool IsUnreachable(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kUnavailable || ErrorInfoOf(status)) return false;
  for (const std::string_view beginning : {"failed to connect", "DNS resolution failed",
                                           "Socket closed", "recvmsg:", "Ssl handshake"}) {
    if (absl::StartsWithIgnoreCase(status.message(), Abseil(beginning))) return true;
  }
  return false;
}

std::string Unreachable(const absl::Status& status, std::string_view address) {
  const std::string message = absl::AsciiStrToLower(status.message());
  const auto contains = [&](const char* part) { return absl::StrContains(message, part); };
  std::string cause;
  std::string advice = "is groved running?";
  if (contains("connection refused")) {
    cause = "connection refused";
  } else if (contains("no such file")) {
    cause = "no such socket";
  } else if (contains("dns resolution failed")) {
    cause = "the host name is unknown";
    advice = "is the address right?";
  } else if (contains("handshake") || contains("certificate")) {
    cause = "TLS handshake failed";
    advice = "does --ca_cert fit the server, and does the server speak TLS?";
  } else if (contains("socket closed") || contains("connection reset")) {
    cause = "the connection was closed";
    advice = "does the server want TLS (--ca_cert)?";
  } else {
    const size_t colon = message.rfind(": ");
    cause = Escape(colon == std::string::npos ? message : message.substr(colon + 2));
  }
  return StrCat("cannot reach ", address, ": ", cause, "; ", advice);
}

}  // namespace

std::string DescribeError(const absl::Status& status) {
  std::string out(status.message());
  if (out.empty()) out = "no message";
  StrAppend(&out, " (", absl::StatusCodeToString(status.code()));
  if (const auto info = ErrorInfoOf(status)) StrAppend(&out, ", ", info->reason());
  out += ")";
  AppendDetails(status, out);
  return Escape(out);
}

std::string ErrorLine(std::string_view verb, const absl::Status& status, std::string_view address) {
  if (IsUnreachable(status)) return StrCat("grovectl: ", Unreachable(status, address));
  std::string line = "grovectl: ";
  if (!verb.empty()) StrAppend(&line, verb, ": ");
  if (IsUsageError(status)) {
    return StrCat(line, Escape(Std(status.message())), "; see grovectl help",
                  verb.empty() ? "" : " ", verb);
  }
  return line + DescribeError(status);
}

}  // namespace grove::client::cli
