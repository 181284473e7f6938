#include "client/cli/complete.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "client/cli/contexts.h"
#include "client/cli/names.h"
#include "client/cli/payload_verbs.h"
#include "client/cli/render.h"
#include "client/cli/target.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

// Longer than a person waits for a completion.
constexpr absl::Duration kTimeout = absl::Milliseconds(700);

constexpr int64_t kListedMax = 1000;
constexpr int64_t kTasksMax = 100;

using Candidates = std::vector<Candidate>;

Candidates Fixed(const std::vector<const char*>& words) {
  Candidates candidates;
  for (const char* word : words) candidates.push_back({word, ""});
  return candidates;
}

// The command line as far as it is whole.
struct Line {
  const Verb* verb = nullptr;
  Arguments arguments;
  // The flag whose value is being typed.
  const FlagSpec* open_flag = nullptr;
  // A first word that only begins a verb ("context").
  std::string half_verb;
};

// What a placeholder of the help ("QUEUE") may stand for.
class Values {
 public:
  Values(const Line& line, const Environment& environment)
      : line_(line), environment_(environment) {}

  // `typed` is what is there of the value.
  Completion Of(std::string_view placeholder, std::string_view typed);

 private:
  Client* Daemon();
  Candidates Functions();
  Candidates Queues();
  Candidates Tenants();
  Candidates Tokens();
  Candidates Pools();
  Candidates Limits();
  Candidates Schedules();
  Candidates Workers();
  Candidates Operations();
  Candidates Fibers();
  Candidates Tasks(std::string_view typed);
  Candidates ContextNames();
  std::string Tenant();

  const Line& line_;
  const Environment& environment_;
  std::unique_ptr<Client> client_;
  bool has_identity_ = false;
};

std::string Values::Tenant() {
  if (const auto typed = line_.arguments.Value("tenant")) return *typed;
  Client* const daemon = Daemon();
  return daemon == nullptr || !has_identity_ ? "default" : OwnTenant(*daemon);
}

Client* Values::Daemon() {
  if (client_ != nullptr) return client_.get();
  absl::StatusOr<Target> target = FindTarget(line_.arguments, environment_);
  if (!target.ok()) return nullptr;
  auto client = Client::Create({.address = target->address,
                                .token = target->token,
                                .ca_cert_file = target->ca_cert,
                                .timeout = kTimeout,
                                .client_cert_file = target->client_cert,
                                .client_key_file = target->client_key});
  if (client.ok()) client_ = *std::move(client);
  has_identity_ = !target->token.empty() || !target->client_cert.empty();
  return client_.get();
}

Candidates Values::Functions() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  const auto functions = daemon->ListFunctions({}, kListedMax);
  if (!functions.ok()) return candidates;
  for (const auto& function : functions->functions()) {
    candidates.push_back({FunctionName(function.name()), function.description()});
  }
  return candidates;
}

// "mail" of the tenant of short names, "acme/mail" of others.
std::string NameFor(const std::string& name, const std::string& tenant) {
  const std::vector<std::string_view> segments = StrSplit(name, '/');
  if (segments.size() < 4 || segments[1] == tenant) return ShortName(name);
  return StrCat(segments[1], "/", segments[3]);
}

Candidates Values::Queues() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  const auto queues = daemon->ListQueues({}, kListedMax);
  if (!queues.ok()) return candidates;
  for (const auto& queue : queues->queues()) {
    candidates.push_back({NameFor(queue.name(), Tenant()),
                          StrCat(queue.queued(), " queued, ", queue.running(), " running")});
  }
  return candidates;
}

Candidates Values::Tenants() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  const auto tenants = daemon->ListTenants({}, kListedMax);
  if (!tenants.ok()) return candidates;
  for (const auto& tenant : tenants->tenants()) {
    candidates.push_back({ShortName(tenant.name()), tenant.display_name()});
  }
  return candidates;
}

// Of the operators, or of the tenant that is given.
Candidates Values::Tokens() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  v1::ListTokensRequest request;
  const auto tenant = line_.arguments.Value("tenant");
  request.set_parent(tenant ? StrCat("tenants/", *tenant) : "operators");
  const auto tokens = daemon->ListTokens(request, kListedMax);
  if (!tokens.ok()) return candidates;
  for (const auto& token : tokens->tokens()) {
    candidates.push_back({ShortName(token.name()), RolesText(token)});
  }
  return candidates;
}

// Patterns that have a limit.
Candidates Values::Limits() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  v1::ListLimitsRequest request;
  request.set_parent("tenants/" + Tenant());
  const auto limits = daemon->ListLimits(request, 1);
  if (!limits.ok()) return candidates;
  for (const auto& limit : limits->limits()) candidates.push_back({limit.pattern(), ""});
  return candidates;
}

Candidates Values::Pools() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  const auto pools = daemon->ListPools({}, kListedMax);
  if (!pools.ok()) return candidates;
  for (const auto& pool : pools->pools()) {
    candidates.push_back(
        {NameFor(pool.name(), Tenant()), StrCat(pool.running(), " of ", pool.size(), " running")});
  }
  return candidates;
}

Candidates Values::Schedules() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  v1::ListSchedulesRequest request;
  request.set_parent(StrCat("tenants/", Tenant()));
  const auto schedules = daemon->ListSchedules(request, kListedMax);
  if (!schedules.ok()) return candidates;
  for (const auto& schedule : schedules->schedules()) {
    candidates.push_back({NameFor(schedule.name(), Tenant()), schedule.spec().function()});
  }
  return candidates;
}

Candidates Values::Workers() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  const auto workers = daemon->ListWorkers({}, kListedMax);
  if (!workers.ok()) return candidates;
  for (const auto& worker : workers->workers()) {
    candidates.push_back(
        {ShortName(worker.name()), ShortEnumName(*v1::Worker::State_descriptor(), worker.state())});
  }
  return candidates;
}

Candidates Values::Operations() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  const auto operations = daemon->ListOperations({}, kListedMax);
  if (!operations.ok()) return candidates;
  for (const auto& operation : operations->operations()) {
    candidates.push_back({ShortName(operation.name()),
                          StrCat(OperationStateName(operation.state()), " ", operation.message())});
  }
  return candidates;
}

Candidates Values::Fibers() {
  Candidates candidates;
  Client* const daemon = Daemon();
  if (daemon == nullptr) return candidates;
  const auto fibers = daemon->ListFibers({}, kListedMax);
  if (!fibers.ok()) return candidates;
  for (const auto& fiber : fibers->fibers()) {
    const std::vector<std::string_view> segments = StrSplit(fiber.name(), '/');
    if (segments.size() != 4) continue;
    candidates.push_back({StrCat(segments[1], "/", segments[3]), fiber.display_name()});
  }
  return candidates;
}

// Of the tasks to which the verb can be done; empty: all.
std::vector<v1::TaskState> StatesFor(std::string_view verb) {
  using State = v1::TaskState;
  static const auto* const kStates = new std::map<std::string_view, std::vector<State>>{
      {"cancel", {v1::TASK_STATE_SCHEDULED, v1::TASK_STATE_QUEUED, v1::TASK_STATE_RUNNING}},
      {"explain", {v1::TASK_STATE_SCHEDULED, v1::TASK_STATE_QUEUED}},
      {"retry",
       {v1::TASK_STATE_SCHEDULED, v1::TASK_STATE_SUCCEEDED, v1::TASK_STATE_FAILED,
        v1::TASK_STATE_CANCELLED, v1::TASK_STATE_TIMED_OUT}},
      {"delete",
       {v1::TASK_STATE_SUCCEEDED, v1::TASK_STATE_FAILED, v1::TASK_STATE_CANCELLED,
        v1::TASK_STATE_TIMED_OUT}},
  };
  std::string_view word = verb.substr(verb.find(' ') + 1);
  if (word == "pause" || word == "resume" || word == "update") word = "cancel";
  const auto found = kStates->find(word);
  return found == kStates->end() ? std::vector<State>() : found->second;
}

// In the form that is being typed: whole names, QUEUE/ID, or IDs where the queue is "default".
Candidates Values::Tasks(std::string_view typed) {
  Candidates candidates;
  Client* const daemon = Daemon();
  v1::ListTasksRequest request;
  request.set_parent("tenants/" + Tenant());
  request.set_view(v1::TASK_VIEW_BASIC);
  for (const v1::TaskState state : StatesFor(line_.verb->name)) request.add_states(state);
  if (daemon == nullptr) return candidates;
  const auto tasks = daemon->ListTasks(request, kTasksMax);
  if (!tasks.ok()) return candidates;
  const bool whole = typed.starts_with("tenants/");
  const bool slash = typed.find('/') != std::string_view::npos;
  for (const auto& task : tasks->tasks()) {
    const std::string name = ShortTaskName(task.name());
    const bool bare = !slash && name.starts_with("default/");
    candidates.push_back({whole  ? task.name()
                          : bare ? ShortName(name)
                                 : name,
                          StrCat(task.spec().function(), " ", StateName(task.state()))});
  }
  return candidates;
}

Candidates Values::ContextNames() {
  Candidates candidates;
  const auto path = ContextsPath(environment_);
  if (!path.ok()) return candidates;
  const auto contexts = ReadContexts(*path);
  if (!contexts.ok()) return candidates;
  for (const auto& [name, context] : contexts->by_name) {
    candidates.push_back({name, context.address});
  }
  return candidates;
}

// Of a list with commas the last part is completed, with words that it does not have yet.
Candidates Listed(std::string_view typed, const std::vector<std::string>& words) {
  const size_t comma = typed.rfind(',');
  const std::string before(comma == typed.npos ? "" : typed.substr(0, comma + 1));
  const std::vector<std::string_view> taken = StrSplit(before, ',');
  Candidates candidates;
  for (const std::string& word : words) {
    if (std::find(taken.begin(), taken.end(), word) == taken.end()) {
      candidates.push_back({before + word, ""});
    }
  }
  return candidates;
}

Candidates States(std::string_view typed) {
  std::vector<std::string> names;
  for (int number = 1; number < v1::TaskState_ARRAYSIZE; ++number) {
    names.push_back(StateName(static_cast<v1::TaskState>(number)));
  }
  return Listed(typed, names);
}

Candidates Roles(std::string_view typed) {
  return Listed(typed, {"viewer", "writer", "operator", "admin", "debug"});
}

Candidates VerbNames() {
  Candidates candidates;
  std::string last;
  for (const Verb& verb : Verbs()) {
    const std::string word = verb.name.substr(0, verb.name.find(' '));
    if (verb.hidden || word == last) continue;
    last = word;
    candidates.push_back({word, word == verb.name ? verb.summary : "Daemons that have a name."});
  }
  return candidates;
}

Completion Values::Of(std::string_view placeholder, std::string_view typed) {
  if (placeholder == "FUNCTION") return {Functions()};
  if (placeholder == "QUEUE") return {Queues()};
  if (placeholder == "TENANT") return {Tenants()};
  if (placeholder == "TOKEN_NAME") return {Tokens()};
  if (placeholder == "ROLE,ROLE") return {Roles(typed)};
  if (placeholder == "POOL") return {Pools()};
  if (placeholder == "PATTERN") return {Limits()};
  if (placeholder == "SCHEDULE") return {Schedules()};
  if (placeholder == "PAYLOAD") return {PayloadCandidates(Daemon(), Tenant())};
  if (placeholder == "POLICY") {
    return {Fixed({"skip", "allow", "buffer_one", "cancel_running"})};
  }
  if (placeholder == "WORKER") return {Workers()};
  if (placeholder == "FIBER") return {Fibers()};
  if (placeholder == "OPERATION") return {Operations()};
  if (placeholder == "LEVEL") return {Fixed({"debug", "info", "warning", "error"})};
  if (placeholder == "TASK") return {Tasks(typed)};
  if (placeholder == "CONTEXT") return {ContextNames()};
  if (placeholder == "STATE,STATE") return {States(typed)};
  if (placeholder == "VERB") return {VerbNames()};
  if (placeholder == "SHELL") return {Fixed({"bash", "zsh", "fish"})};
  if (placeholder == "FORMAT") {
    return {Fixed({"table", "wide", "name", "json", "jsonl", "yaml"})};
  }
  if (placeholder == "WHEN") return {Fixed({"auto", "always", "never"})};
  if (placeholder == "ORDER") return {Fixed({"-created", "created", "-ended", "ended"})};
  if (placeholder == "VIEW") return {Fixed({"basic", "output", "full"})};
  const bool file = placeholder == "FILE" || placeholder == "PROGRAM" || placeholder == "@FILE" ||
                    placeholder == "INPUT";
  return {{}, file};
}

std::vector<FlagSpec> FlagsOf(const Verb* verb) {
  std::vector<FlagSpec> flags = GlobalFlags();
  if (verb != nullptr) flags.insert(flags.begin(), verb->flags.begin(), verb->flags.end());
  return flags;
}

const FlagSpec* FindFlag(const std::vector<FlagSpec>& flags, const std::string& word) {
  for (const FlagSpec& flag : flags) {
    const bool by_letter = flag.letter != 0 && word == std::string("-") + flag.letter;
    if (by_letter || word == "--" + flag.name) return &flag;
  }
  return nullptr;
}

// Takes the words before the last one apart, as far as they make sense.
Line Read(const std::vector<std::string>& words, std::vector<FlagSpec>& flags) {
  Line line;
  flags = FlagsOf(nullptr);
  std::vector<std::string> rest;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    const FlagSpec* const flag = FindFlag(flags, word);
    if (flag != nullptr && !flag->value.empty() && i + 2 == words.size()) {
      line.open_flag = flag;
      break;
    }
    if (line.verb == nullptr && !word.starts_with("-")) {
      const std::string name = line.half_verb.empty() ? word : line.half_verb + " " + word;
      line.verb = FindVerb(name);
      line.half_verb = line.verb == nullptr ? name : "";
      if (line.verb != nullptr) flags = FlagsOf(line.verb);
      continue;
    }
    // "pools" is a verb, and begins another.
    if (line.verb != nullptr && FindVerb(line.verb->name + " " + word) != nullptr) {
      line.verb = FindVerb(line.verb->name + " " + word);
      flags = FlagsOf(line.verb);
      continue;
    }
    rest.push_back(word);
    if (flag != nullptr && !flag->value.empty()) rest.push_back(words[++i]);
  }
  auto arguments = Arguments::Parse(rest, flags, Arguments::Scope::kWholeLine);
  if (arguments.ok()) line.arguments = *std::move(arguments);
  return line;
}

// "TASK" of the third word of "TASK..." and so on; empty if no more are taken.
std::string PlaceholderAt(const Verb& verb, size_t position) {
  const std::vector<std::string> parts =
      absl::StrSplit(Abseil(verb.arguments), ' ', absl::SkipEmpty());
  if (parts.empty()) return "";
  std::string part = parts[std::min(position, parts.size() - 1)];
  const bool repeated = absl::StrContains(part, "...");
  if (position >= parts.size() && !repeated) return "";
  part.erase(std::remove_if(part.begin(), part.end(),
                            [](char c) { return c == '[' || c == ']' || c == '.'; }),
             part.end());
  return part;
}

// Second words of what may be a verb of two.
Candidates SecondWords(const std::string& first) {
  Candidates candidates;
  for (const Verb& verb : Verbs()) {
    if (!verb.name.starts_with(first + " ")) continue;
    candidates.push_back({verb.name.substr(first.size() + 1), verb.summary});
  }
  return candidates;
}

Completion Anything(const Line& line, const std::vector<FlagSpec>& flags, const std::string& typed,
                    const Environment& environment) {
  Values values(line, environment);
  if (line.open_flag != nullptr) return values.Of(line.open_flag->value, typed);
  const size_t equals = typed.find('=');
  if (typed.starts_with("--") && equals != std::string::npos) {
    const FlagSpec* const flag = FindFlag(flags, typed.substr(0, equals));
    if (flag == nullptr) return {};
    Completion completion = values.Of(flag->value, typed.substr(equals + 1));
    for (Candidate& each : completion.candidates) {
      each.word = typed.substr(0, equals + 1) + each.word;
    }
    return completion;
  }
  if (typed.starts_with("-")) {
    Completion completion;
    for (const FlagSpec& flag : flags) {
      completion.candidates.push_back({"--" + flag.name, flag.help});
    }
    return completion;
  }
  if (line.verb == nullptr) {
    return {line.half_verb.empty() ? VerbNames() : SecondWords(line.half_verb)};
  }
  const size_t position = line.arguments.positional().size();
  Completion completion = values.Of(PlaceholderAt(*line.verb, position), typed);
  if (position > 0) return completion;
  for (Candidate& each : SecondWords(line.verb->name)) {
    completion.candidates.push_back(std::move(each));
  }
  return completion;
}

}  // namespace

Completion Complete(const std::vector<std::string>& words, const Environment& environment) {
  if (words.empty()) return {VerbNames()};
  std::vector<FlagSpec> flags;
  const Line line = Read(words, flags);
  Completion completion = Anything(line, flags, words.back(), environment);
  auto& candidates = completion.candidates;
  candidates.erase(
      std::remove_if(candidates.begin(), candidates.end(),
                     [&](const Candidate& each) { return !each.word.starts_with(words.back()); }),
      candidates.end());
  return completion;
}

absl::Status RunComplete(Command& command) {
  const Completion completion = Complete(command.arguments.positional(), command.shell.environment);
  for (const Candidate& each : completion.candidates) {
    command.shell.out << Escape(each.word) << "\t" << Escape(each.description) << "\n";
  }
  if (completion.files) command.shell.out << ":files\n";
  return absl::OkStatus();
}

}  // namespace grove::client::cli
