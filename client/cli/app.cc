#include "client/cli/app.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "client/cli/error_line.h"
#include "client/cli/verbs.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(30);

constexpr size_t kTokenBytesMax = 64 * 1024;

// What the command line asks for, before anything is done.
struct Request {
  const Verb* verb = nullptr;
  Arguments arguments;
};

absl::Status UnknownVerb(const std::string& typed) {
  std::vector<std::string> names;
  for (const Verb& verb : Verbs()) names.push_back(verb.name);
  const std::string near = NearestName(typed, names);
  return UsageError(StrCat("unknown verb \"", typed, "\"",
                           near.empty() ? "" : StrCat("; did you mean ", near, "?")));
}

// Two words if they name a verb, else one. Takes them from the front of `words`.
absl::StatusOr<const Verb*> TakeVerb(std::vector<std::string>& words) {
  const Verb* verb = words.size() < 2 ? nullptr : FindVerb(StrCat(words[0], " ", words[1]));
  const std::ptrdiff_t taken = verb == nullptr ? 1 : 2;
  if (verb == nullptr) verb = FindVerb(words[0]);
  if (verb == nullptr) return UnknownVerb(words[0]);
  words.erase(words.begin(), words.begin() + taken);
  return verb;
}

absl::Status CheckCount(const Verb& verb, const std::vector<std::string>& positional) {
  if (positional.size() < verb.arguments_min) {
    return UsageError(StrCat("needs ", verb.arguments));
  }
  if (positional.size() > verb.arguments_max) {
    return UsageError(StrCat("unexpected argument \"", positional[verb.arguments_max], "\""));
  }
  return absl::OkStatus();
}

// Fills in `request.verb` as soon as it is known, so that an error can name it.
absl::Status ParseLine(const std::vector<std::string>& line, Request& request) {
  auto leading = Arguments::Parse(line, GlobalFlags(), Arguments::Scope::kLeadingFlags);
  if (!leading.ok()) return leading.status();
  request.arguments = *leading;
  std::vector<std::string> rest = leading->rest();
  if (rest.empty()) {
    return leading->Has("help") ? absl::OkStatus() : UsageError("which verb?");
  }
  absl::StatusOr<const Verb*> verb = TakeVerb(rest);
  if (!verb.ok()) return verb.status();
  request.verb = *verb;
  std::vector<FlagSpec> flags = (*verb)->flags;
  flags.insert(flags.end(), GlobalFlags().begin(), GlobalFlags().end());
  auto own = Arguments::Parse(rest, flags, Arguments::Scope::kWholeLine);
  if (!own.ok()) return own.status();
  request.arguments.Append(*own);
  if (request.arguments.Has("help")) return absl::OkStatus();
  return CheckCount(**verb, request.arguments.positional());
}

absl::StatusOr<OutputFormat> ParseFormat(const std::string& text) {
  if (text == "table") return OutputFormat::kTable;
  if (text == "json") return OutputFormat::kJson;
  if (text == "yaml") return OutputFormat::kYaml;
  return UsageError(StrCat("--output: \"", text, "\" is not table, json or yaml"));
}

absl::StatusOr<std::string> FindToken(const Arguments& arguments, const Shell& shell) {
  if (const auto token = arguments.Value("token")) return *token;
  if (const auto file = arguments.Value("token_file")) {
    absl::StatusOr<std::string> text = ReadWholeFile(*file, kTokenBytesMax);
    if (!text.ok()) return text.status();
    return std::string(absl::StripAsciiWhitespace(*text));
  }
  return shell.environment("GROVE_TOKEN").value_or("");
}

// For these --timeout bounds the wait, and a single call keeps its own bound.
bool Waits(const Verb& verb, const Arguments& arguments) {
  return verb.name == "wait" || verb.name == "backdoor" || arguments.Has("wait");
}

absl::StatusOr<ClientOptions> MakeOptions(const Request& request, Command& command) {
  ClientOptions options;
  options.address = command.address;
  absl::StatusOr<std::string> token = FindToken(request.arguments, command.shell);
  if (!token.ok()) return token.status();
  options.token = *std::move(token);
  options.ca_cert_file = request.arguments.ValueOr("ca_cert", "");
  options.timeout = kCallTimeout;
  const auto text = request.arguments.Value("timeout");
  if (!text) return options;
  absl::StatusOr<absl::Duration> timeout = ParseSeconds("--timeout", *text);
  if (!timeout.ok()) return timeout.status();
  if (*timeout <= absl::ZeroDuration()) return UsageError("--timeout: must be positive");
  if (Waits(*request.verb, request.arguments)) {
    command.wait_timeout = *timeout;
  } else {
    options.timeout = *timeout;
  }
  return options;
}

std::string AddressOf(const Request& request, const Shell& shell) {
  if (const auto address = request.arguments.Value("address")) return *address;
  const std::string set = shell.environment("GROVE_ADDRESS").value_or("");
  return set.empty() ? kDefaultAddress : set;
}

absl::Status RunVerb(const Request& request, Command& command) {
  absl::StatusOr<OutputFormat> format = ParseFormat(request.arguments.ValueOr("output", "table"));
  if (!format.ok()) return format.status();
  command.format = *format;
  std::unique_ptr<Client> client;
  if (request.verb->needs == Verb::Needs::kDaemon) {
    absl::StatusOr<ClientOptions> options = MakeOptions(request, command);
    if (!options.ok()) return options.status();
    auto created = Client::Create(*options);
    if (!created.ok()) return UsageError(Std(created.status().message()));
    client = *std::move(created);
    command.client = client.get();
  }
  absl::Status status = request.verb->run(command);
  command.shell.out.flush();
  if (status.ok() && !command.shell.out) return absl::DataLossError("cannot write the output");
  return status;
}

int Report(std::string_view verb, const absl::Status& status, std::string_view address,
           Shell& shell) {
  if (status.ok()) return kExitSuccess;
  shell.err << ErrorLine(verb, status, address) << std::endl;
  return IsUsageError(status) ? kExitUsage : kExitFailure;
}

}  // namespace

int RunApp(const std::vector<std::string>& line, Shell& shell) {
  Request request;
  const absl::Status parsed = ParseLine(line, request);
  const std::string name = request.verb == nullptr ? "" : request.verb->name;
  if (!parsed.ok()) return Report(name, parsed, "", shell);
  if (request.arguments.Has("help")) {
    shell.out << (request.verb == nullptr ? HelpText() : HelpText(*request.verb)) << std::flush;
    return kExitSuccess;
  }
  Command command{shell, *request.verb, request.arguments, OutputFormat::kTable,
                  AddressOf(request, shell)};
  return Report(name, RunVerb(request, command), command.address, shell);
}

}  // namespace grove::client::cli
