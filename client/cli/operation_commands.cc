#include <unistd.h>

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/interrupt.h"
#include "client/cli/names.h"
#include "client/cli/progress.h"
#include "client/cli/render.h"
#include "client/cli/text.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int64_t kListedOperations = 50;
constexpr int64_t kListedOperationsMax = 1000;
constexpr int64_t kWorkersMax = 256;
// As diff(1) says trouble; 1 is a difference.
constexpr int kExitTrouble = 2;
// For a daemon that ends, which says so by falling silent.
constexpr absl::Duration kDaemonEndsWithin = absl::Seconds(2);

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

// "operations/12: replacing grove-w1 (2 of 4)".
std::string ProgressText(const v1::Operation& operation) {
  std::string text = StrCat(operation.name(), " ", OperationStateName(operation.state()));
  if (!operation.message().empty()) text += StrCat(": ", operation.message());
  if (operation.steps() > 0) {
    text += StrCat(" [", operation.steps_done(), "/", operation.steps(), "]");
  }
  return text;
}

// What a person sees while an operation is waited for.
class Following {
 public:
  explicit Following(Command& command) : command_(command), progress_(command.shell) {}

  // Until it has ended, over outages.
  absl::StatusOr<v1::Operation> Run(const std::string& name) {
    WaitOptions options;
    options.on_outage = [this](const absl::Status&) {
      progress_.Notice(StrCat("grovectl: ", command_.address,
                              " fell silent; the operation goes on, and so does the wait once it "
                              "is back"));
    };
    options.on_back = [this] {
      progress_.Notice(StrCat("grovectl: ", command_.address, " is back"));
    };
    return Run(name, options);
  }

  // Also until the daemon has been silent for `patience`: UNAVAILABLE.
  absl::StatusOr<v1::Operation> RunToSilence(const std::string& name, absl::Duration patience) {
    WaitOptions options;
    options.outage_max = patience;
    return Run(name, options);
  }

 private:
  absl::StatusOr<v1::Operation> Run(const std::string& name, WaitOptions& options) {
    options.timeout = command_.wait_timeout;
    options.stop = &interrupt_.stop();
    auto ended = command_.client->FollowOperation(
        name, options, [this](const v1::Operation& now) { progress_.Show(ProgressText(now)); });
    progress_.Clear();
    if (!ended.ok() && interrupt_.stop().is_set()) {
      return InterruptedError(StrCat("interrupted; the operation goes on: \"", SelfText(command_),
                                     " operation ", ShortName(name), " --watch\" waits on"));
    }
    return ended;
  }

  Command& command_;
  Progress progress_;
  StopOnInterrupt interrupt_;
};

// All lines of an error that has several: each is something to mend.
void PrintErrorLines(Command& command, std::string_view message) {
  if (message.find('\n') == message.npos) return;
  for (const std::string_view line : StrSplit(message, '\n')) {
    if (!line.empty()) command.shell.err << "  " << Escape(line) << "\n";
  }
}

// `status`, whose lines, if it has several, are printed: what is left for the last one says so.
absl::Status ToldInLines(Command& command, const absl::Status& status) {
  if (!absl::StrContains(status.message(), '\n')) return status;
  PrintErrorLines(command, Std(status.message()));
  absl::Status rest(status.code(), "see the lines above");
  status.ForEachPayload(
      [&](auto type, const absl::Cord& payload) { rest.SetPayload(type, payload); });
  // They have said it.
  ClearBadRequest(rest);
  return rest;
}

absl::Status OutcomeOf(Command& command, const v1::Operation& operation) {
  const std::string who = StrCat(operation.name(), " ", OperationStateName(operation.state()));
  const std::string left = operation.message().empty() ? "" : StrCat("; ", operation.message());
  switch (operation.state()) {
    case v1::Operation::STATE_SUCCEEDED:
      return absl::OkStatus();
    case v1::Operation::STATE_FAILED: {
      const std::string_view message = operation.error().message();
      PrintErrorLines(command, message);
      const size_t lines = message.find('\n');
      return PlainError(
          StrCat(who, ": ", lines == message.npos ? message : "see the lines above", left));
    }
    case v1::Operation::STATE_SUPERSEDED:
      return PlainError(StrCat(who, left));
    default:
      return absl::DeadlineExceededError(
          StrCat(who, ": it has not ended within ", DurationText(command.wait_timeout)));
  }
}

void PrintOperation(Command& command, const v1::Operation& operation) {
  Print(command, operation, [&] { return RenderOperation(operation, ViewOf(command)); });
}

// One sentence for people, the operation for programs.
void PrintEnd(Command& command, const v1::Operation& operation) {
  if (!command.ForPeople()) return PrintOperation(command, operation);
  if (operation.state() != v1::Operation::STATE_SUCCEEDED) return;
  command.shell.out << Escape(operation.message().empty() ? ProgressText(operation)
                                                          : operation.message())
                    << "\n";
}

// Follows what was begun to its end, or with --no_wait says what it is called.
absl::Status Finish(Command& command, const absl::StatusOr<v1::Operation>& begun) {
  if (!begun.ok()) return begun.status();
  if (command.arguments.Has("no_wait")) {
    if (command.ForPeople()) {
      command.shell.out << begun->name() << "\n";
    } else {
      PrintOperation(command, *begun);
    }
    return absl::OkStatus();
  }
  Following following(command);
  auto ended = following.Run(begun->name());
  if (!ended.ok()) return ended.status();
  PrintEnd(command, *ended);
  return OutcomeOf(command, *ended);
}

// "8", "+1", "-2".
absl::StatusOr<v1::ScaleWorkersRequest> ParseScale(const std::string& typed) {
  v1::ScaleWorkersRequest request;
  const bool change = typed.starts_with("+") || typed.starts_with("-");
  if (typed.starts_with("+-")) return UsageError("WORKERS: 8, +1 or -2");
  auto number = ParseInteger("WORKERS", typed.starts_with("+") ? typed.substr(1) : typed,
                             change ? -kWorkersMax : 1, kWorkersMax);
  if (!number.ok()) return number.status();
  if (change && *number == 0) return UsageError("WORKERS: a change of 0 changes nothing");
  const auto value = static_cast<int32_t>(*number);
  change ? request.set_change(value) : request.set_workers(value);
  return request;
}

// Whether a person says that the daemon may end.
absl::Status Confirm(Command& command) {
  if (command.arguments.Has("yes") || !command.shell.in_is_terminal) return absl::OkStatus();
  command.shell.err << "The daemon at " << Escape(command.address)
                    << " will finish what runs, and end. Drain it? [y/N] " << std::flush;
  std::string answer;
  for (char c = 0; read(command.shell.in_fd, &c, 1) == 1 && c != '\n';) answer += c;
  if (answer == "y" || answer == "Y" || answer == "yes") return absl::OkStatus();
  return PlainError("not drained");
}

// The daemon says nothing after its end: then that is what happened.
absl::Status FollowDrain(Command& command, const v1::Operation& begun) {
  Following following(command);
  auto ended = following.RunToSilence(begun.name(), kDaemonEndsWithin);
  if (ended.ok()) {
    PrintEnd(command, *ended);
    return OutcomeOf(command, *ended);
  }
  const bool gone = absl::IsUnavailable(ended.status()) || absl::IsNotFound(ended.status());
  // It has begun: `begun` is its answer.
  if (!gone) return ended.status();
  if (command.ForPeople()) command.shell.out << "drained: the daemon has ended\n";
  return absl::OkStatus();
}

}  // namespace

absl::Status RunScale(Command& command) {
  auto request = ParseScale(command.arguments.positional()[0]);
  if (!request.ok()) return request.status();
  return Finish(command, command.client->ScaleWorkers(*request));
}

absl::Status RunRestart(Command& command) {
  const auto& typed = command.arguments.positional();
  const bool all = command.arguments.Has("all");
  const bool control = command.arguments.Has("control");
  if ((typed.empty() ? 0 : 1) + (all ? 1 : 0) + (control ? 1 : 0) != 1) {
    return UsageError("either WORKERs, or --all, or --control");
  }
  v1::RestartWorkersRequest request;
  request.set_control(control);
  for (const std::string& each : typed) {
    auto name = WorkerName(each);
    if (!name.ok()) return name.status();
    request.add_names(*name);
  }
  return Finish(command, command.client->RestartWorkers(request));
}

absl::Status RunDrain(Command& command) {
  if (command.arguments.Has("old_generation")) {
    return Finish(command, command.client->Drain(v1::DrainRequest::SCOPE_OLD_GENERATION));
  }
  if (absl::Status confirmed = Confirm(command); !confirmed.ok()) return confirmed;
  auto begun = command.client->Drain(v1::DrainRequest::SCOPE_DAEMON);
  if (!begun.ok() || command.arguments.Has("no_wait")) return Finish(command, begun);
  return FollowDrain(command, *begun);
}

absl::Status RunReload(Command& command) {
  return Finish(command, command.client->Reload());
}

absl::Status RunUpgrade(Command& command) {
  const auto& typed = command.arguments.positional();
  std::string program;
  if (!typed.empty()) {
    std::error_code error;
    program = std::filesystem::absolute(typed[0], error).string();
  }
  return Finish(command, command.client->Upgrade(program));
}

absl::Status RunLogLevel(Command& command) {
  const auto& typed = command.arguments.positional();
  return Finish(command, command.client->SetLogLevel(typed.empty() ? "" : typed[0]));
}

absl::Status RunOperations(Command& command) {
  auto limit = IntegerFlag(command, "limit", kListedOperations, 1, kListedOperationsMax);
  if (!limit.ok()) return limit.status();
  auto operations = command.client->ListOperations({}, *limit);
  if (!operations.ok()) return operations.status();
  PrintList(command, *operations, "operations",
            [&] { return RenderOperations(operations->operations(), ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunOperation(Command& command) {
  auto name = OperationName(command.arguments.positional()[0]);
  if (!name.ok()) return name.status();
  if (!command.arguments.Has("watch")) {
    auto operation = command.client->GetOperation(*name);
    if (!operation.ok()) return operation.status();
    PrintOperation(command, *operation);
    return absl::OkStatus();
  }
  Following following(command);
  auto ended = following.Run(*name);
  if (!ended.ok()) return ended.status();
  PrintEnd(command, *ended);
  return OutcomeOf(command, *ended);
}

namespace {

absl::Status ShowConfig(Command& command) {
  v1::GetConfigRequest request;
  request.set_defaults(command.arguments.Has("defaults"));
  auto config = command.client->GetConfig(request);
  if (!config.ok()) return config.status();
  Print(command, *config, [&] { return config->yaml(); });
  return absl::OkStatus();
}

// As diff(1): 0 is no change, 1 some, 2 trouble.
absl::Status DiffConfig(Command& command) {
  v1::DiffConfigRequest request;
  const auto& typed = command.arguments.positional();
  if (!typed.empty()) {
    std::error_code error;
    request.set_file(std::filesystem::absolute(typed[0], error).string());
  }
  auto diff = command.client->DiffConfig(request);
  if (!diff.ok()) return WithExitCode(ToldInLines(command, diff.status()), kExitTrouble);
  Print(command, *diff, [&] { return RenderConfigDiff(diff->changes(), ViewOf(command)); });
  return diff->changes().empty() ? absl::OkStatus() : SilentFailure();
}

}  // namespace

absl::Status RunConfig(Command& command) {
  const bool diff = command.arguments.Has("diff");
  if (diff && command.arguments.Has("defaults")) {
    return UsageError("--defaults does not go with --diff");
  }
  if (!diff && !command.arguments.positional().empty()) return UsageError("FILE needs --diff");
  return diff ? DiffConfig(command) : ShowConfig(command);
}

}  // namespace grove::client::cli
