#include "client/cli/error_line.h"

#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "client/cli/arguments.h"
#include "client/cli/interrupt.h"
#include "client/cli/text.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr char kPlainPayload[] = "grove.cli/plain";
constexpr char kSilentPayload[] = "grove.cli/silent";
constexpr char kExitPayload[] = "grove.cli/exit";

// Of the ErrorInfo of whatever the daemon itself refuses.
constexpr char kDomain[] = "grove";

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

// How the server's words, which are of its API, are called here.
struct Word {
  std::string_view theirs;
  std::string_view ours;
};

constexpr Word kWords[] = {
    {"ListFunctions shows", "\"grovectl functions\" lists"},
    {"ListFunctions", "\"grovectl functions\""},
    {"ListTasks", "\"grovectl tasks\""},
    {"GetTask", "\"grovectl get\""},
    {"WaitTask", "\"grovectl wait\""},
    {"BatchWaitTasks", "\"grovectl wait\""},
    {"SpawnTask", "\"grovectl spawn\""},
    {"BatchSpawnTasks", "\"grovectl spawn\""},
    {"CancelTask", "\"grovectl cancel\""},
    {"ListQueues", "\"grovectl queues\""},
    {"GetQueue", "\"grovectl queues\""},
    {"ListPools", "\"grovectl pools\""},
    {"GetPool", "\"grovectl pools\""},
    {"ResizePool", "\"grovectl pools resize\""},
    {"GetFairness", "\"grovectl fairness\""},
    {"ListWorkers", "\"grovectl workers\""},
    {"ListFibers", "\"grovectl fibers\""},
    {"GetFiber", "\"grovectl fibers\""},
    {"OpenSession", "\"grovectl backdoor\""},
    {"InjectHttpRequest", "\"grovectl inject\""},
    {"WatchOperation", "\"grovectl operation --watch\""},
    {"GetOperation", "\"grovectl operation\""},
    {"ListOperations", "\"grovectl operations\""},
    {"send it as `authorization: Bearer TOKEN`",
     "give it with --token_file, a context or GROVE_TOKEN"},
    {"spec.function", "FUNCTION"},
    {"spec.input", "INPUT"},
    {"spec.content_type", "--content_type"},
    {"spec.queue", "--queue"},
    {"spec.priority", "--priority"},
    {"spec.delay", "--delay"},
    {"spec.timeout", "--task_timeout"},
    {"spec.retry_policy.max_attempts", "--max_attempts"},
    {"spec.retry_policy.initial_backoff", "--backoff"},
    {"spec.retry_policy.max_backoff", "--max_backoff"},
    {"spec.retry_policy.jitter", "--jitter"},
    {"spec.schedule_to_start_timeout", "--start_timeout"},
    {"spec.heartbeat_timeout", "--heartbeat_timeout"},
    {"spec.unique_key.key", "--unique_key"},
    {"spec.limit_keys", "--limit_key"},
    {"spec.slot_cost", "--slot_cost"},
    {"spec.after", "--after"},
    {"spec.sequence.key", "--sequence"},
    {"spec.webhook.url", "--webhook"},
    {"spec.request_id", "--request_id"},
    {"spec.labels", "--label"},
    {"spec.durability", "--volatile"},
    {"page_size", "--limit"},
    {"in content_type", "with --content_type"},
};

bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/';
}

// Whether the word at [begin, end) stands for itself: not "my_page_size", nor the "x" of "x.y"; a
// full stop may follow.
bool StandsAlone(std::string_view text, size_t begin, size_t end) {
  if (begin > 0 && IsWordByte(text[begin - 1])) return false;
  if (end == text.size() || !IsWordByte(text[end])) return true;
  return text[end] == '.' && (end + 1 == text.size() || text[end + 1] == ' ');
}

// Of a refusal of Grove's own; what functions say is theirs.
std::string InOurWords(std::string text) {
  for (const Word& word : kWords) {
    for (size_t at = text.find(word.theirs); at != std::string::npos;) {
      size_t next = at + word.theirs.size();
      if (StandsAlone(text, at, next)) {
        text.replace(at, word.theirs.size(), word.ours);
        next = at + word.ours.size();
      }
      at = text.find(word.theirs, next);
    }
  }
  return text;
}

// Whether a server said it: what it says carries details.
bool IsAnswer(const absl::Status& status) {
  bool has_details = false;
  status.ForEachPayload([&](auto, const absl::Cord&) { has_details = true; });
  return has_details;
}

// gRPC's own words for a channel that could not be opened, or broke.
bool IsUnreachable(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kUnavailable || IsAnswer(status)) return false;
  for (const std::string_view beginning : {"failed to connect", "DNS resolution failed",
                                           "Socket closed", "recvmsg:", "Ssl handshake"}) {
    if (absl::StartsWithIgnoreCase(status.message(), Abseil(beginning))) return true;
  }
  return false;
}

std::string Unreachable(const absl::Status& status, std::string_view address) {
  const std::string message = absl::AsciiStrToLower(status.message());
  const auto contains = [&](const char* part) { return absl::StrContains(message, part); };
  const std::string address_text(address);
  std::string cause;
  std::string advice = "is groved running?";
  // What errno says behind "recvmsg:" is of no use: the connection was there.
  const bool has_broken =
      absl::StartsWith(message, "socket closed") || absl::StartsWith(message, "recvmsg:");
  if (has_broken) {
    cause = "the connection was closed";
    advice = "does the server want TLS (--ca_cert)?";
  } else if (contains("connection refused")) {
    cause = "connection refused";
  } else if (contains("no such file") && absl::StartsWith(address_text, "unix:")) {
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

absl::Status PlainError(std::string_view message) {
  absl::Status status = absl::AbortedError(Abseil(message));
  status.SetPayload(kPlainPayload, absl::Cord());
  return status;
}

absl::Status SilentFailure() {
  absl::Status status = absl::AbortedError("");
  status.SetPayload(kSilentPayload, absl::Cord());
  return status;
}

bool IsSilent(const absl::Status& status) {
  return status.GetPayload(kSilentPayload).has_value();
}

absl::Status WithExitCode(absl::Status status, int code) {
  status.SetPayload(kExitPayload, absl::Cord(StrCat(code)));
  return status;
}

std::optional<int> ExitCodeOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kExitPayload);
  int code = 0;
  if (!payload || !SimpleAtoi(std::string(*payload), &code)) return std::nullopt;
  return code;
}

std::string ErrorLine(std::string_view verb, const absl::Status& status, std::string_view address) {
  if (IsUnreachable(status)) return StrCat("grovectl: ", Unreachable(status, address));
  std::string line = "grovectl: ";
  if (!verb.empty()) StrAppend(&line, verb, ": ");
  if (IsUsageError(status)) {
    return StrCat(line, Escape(Std(status.message())), "; see grovectl help",
                  verb.empty() ? "" : " ", verb);
  }
  if (IsInterrupted(status) || status.GetPayload(kPlainPayload))
    return line + Escape(Std(status.message()));
  const auto info = ErrorInfoOf(status);
  const std::string text = DescribeError(status);
  return line + (info && info->domain() == kDomain ? InOurWords(text) : text);
}

}  // namespace grove::client::cli
