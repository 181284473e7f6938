#include "client/cli/app.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_join.h"
#include "client/cli/color.h"
#include "client/cli/error_line.h"
#include "client/cli/interrupt.h"
#include "client/cli/target.h"
#include "client/cli/verbs.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(30);

// What the command line asks for, before anything is done.
struct Request {
  const Verb* verb = nullptr;
  Arguments arguments;
};

absl::Status UnknownVerb(const std::string& typed) {
  std::vector<std::string> names, seconds;
  for (const Verb& verb : Verbs()) {
    if (!verb.hidden) names.push_back(verb.name);
    if (verb.name.starts_with(typed + " ")) seconds.push_back(verb.name.substr(typed.size() + 1));
  }
  if (!seconds.empty()) {
    return UsageError(StrCat(typed, " needs one of ", absl::StrJoin(seconds, ", ")));
  }
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
    const bool answered = leading->Has("help") || leading->Has("version");
    return answered ? absl::OkStatus() : UsageError("which verb?");
  }
  absl::StatusOr<const Verb*> verb = TakeVerb(rest);
  if (!verb.ok()) return verb.status();
  request.verb = *verb;
  std::vector<FlagSpec> flags = (*verb)->flags;
  flags.insert(flags.end(), GlobalFlags().begin(), GlobalFlags().end());
  auto own = Arguments::Parse(rest, flags, Arguments::Scope::kWholeLine);
  if (!own.ok()) return own.status();
  request.arguments.Append(*own);
  if (request.arguments.Has("help") || request.arguments.Has("version")) return absl::OkStatus();
  return CheckCount(**verb, request.arguments.positional());
}

absl::StatusOr<OutputFormat> ParseFormat(const std::string& text) {
  static const std::map<std::string, OutputFormat> kFormats = {
      {"table", OutputFormat::kTable}, {"wide", OutputFormat::kWide},
      {"name", OutputFormat::kName},   {"json", OutputFormat::kJson},
      {"jsonl", OutputFormat::kJsonl}, {"yaml", OutputFormat::kYaml},
  };
  const auto found = kFormats.find(text);
  if (found != kFormats.end()) return found->second;
  return UsageError(
      StrCat("--output: \"", text, "\" is not table, wide, name, json, jsonl or yaml"));
}

// For these --timeout bounds the wait, and a single call keeps its own bound.
bool Waits(const Verb& verb, const Arguments& arguments) {
  return (verb.waits && !arguments.Has("no_wait")) || arguments.Has("wait") ||
         arguments.Has("watch");
}

absl::StatusOr<ClientOptions> MakeOptions(Command& command) {
  absl::StatusOr<Target> target = FindTarget(command.arguments, command.shell.environment);
  if (!target.ok()) return target.status();
  command.address = target->address;
  command.has_identity = !target->token.empty() || !target->client_cert.empty();
  ClientOptions options;
  options.address = target->address;
  options.token = target->token;
  options.ca_cert_file = target->ca_cert;
  options.client_cert_file = target->client_cert;
  options.client_key_file = target->client_key;
  options.timeout = kCallTimeout;
  // A person, or a script, is told at once.
  options.retry_for = absl::ZeroDuration();
  const auto text = command.arguments.Value("timeout");
  if (!text) return options;
  absl::StatusOr<absl::Duration> timeout = ParseSeconds("--timeout", *text);
  if (!timeout.ok()) return timeout.status();
  if (*timeout <= absl::ZeroDuration()) return UsageError("--timeout: must be positive");
  if (Waits(command.verb, command.arguments)) {
    command.wait_timeout = *timeout;
  } else {
    options.timeout = *timeout;
  }
  return options;
}

absl::Status SetColors(Command& command) {
  const std::string choice = command.arguments.ValueOr("color", "auto");
  const Shell& shell = command.shell;
  absl::StatusOr<bool> out = WantsColor(choice, shell.out_is_terminal, shell.environment);
  if (!out.ok()) return out.status();
  command.colors = *out;
  command.err_colors = *WantsColor(choice, shell.err_is_terminal, shell.environment);
  return absl::OkStatus();
}

absl::Status RunVerb(Command& command) {
  absl::StatusOr<OutputFormat> format = ParseFormat(command.arguments.ValueOr("output", "table"));
  if (!format.ok()) return format.status();
  command.format = *format;
  std::unique_ptr<Client> client;
  if (command.verb.needs == Verb::Needs::kDaemon) {
    absl::StatusOr<ClientOptions> options = MakeOptions(command);
    if (!options.ok()) return options.status();
    auto created = Client::Create(*options);
    if (!created.ok()) return UsageError(Std(created.status().message()));
    client = *std::move(created);
    command.client = client.get();
  }
  absl::Status status = command.verb.run(command);
  command.shell.out.flush();
  if (status.ok() && !command.shell.out) return absl::DataLossError("cannot write the output");
  return status;
}

int Report(std::string_view verb, const absl::Status& status, std::string_view address, bool colors,
           Shell& shell) {
  if (status.ok()) return kExitSuccess;
  if (IsSilent(status)) return kExitFailure;
  const std::string line = ErrorLine(verb, status, address);
  constexpr std::string_view kProgram = "grovectl:";
  if (colors && line.starts_with(kProgram)) {
    shell.err << Red(kProgram) << line.substr(kProgram.size()) << std::endl;
  } else {
    shell.err << line << std::endl;
  }
  if (IsInterrupted(status)) return kExitInterrupted;
  if (const std::optional<int> code = ExitCodeOf(status)) return *code;
  return IsUsageError(status) ? kExitUsage : kExitFailure;
}

}  // namespace

int RunApp(const std::vector<std::string>& line, Shell& shell) {
  Request request;
  const absl::Status parsed = ParseLine(line, request);
  const std::string name = request.verb == nullptr ? "" : request.verb->name;
  if (!parsed.ok()) return Report(name, parsed, "", false, shell);
  if (request.arguments.Has("help")) {
    shell.out << (request.verb == nullptr ? HelpText() : HelpText(*request.verb)) << std::flush;
    return kExitSuccess;
  }
  if (request.arguments.Has("version")) request.verb = FindVerb("version");
  Command command{shell, *request.verb, request.arguments};
  absl::Status status = SetColors(command);
  if (status.ok()) status = RunVerb(command);
  return Report(name, status, command.address, command.err_colors, shell);
}

}  // namespace grove::client::cli
