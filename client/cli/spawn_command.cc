#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "client/cli/command.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/payload_transfer.h"
#include "client/cli/spawn_many.h"
#include "client/cli/task_commands.h"
#include "client/cli/task_filter_flags.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/cli/waiting.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

// A file, or standard input: what is large is uploaded.
absl::Status SetInputFrom(const Command& command, const std::string& path, v1::TaskSpec& spec) {
  const absl::StatusOr<InputFile> file = InputFile::Open(command, path);
  if (!file.ok()) return file.status();
  const size_t max = command.verb.name == "spawn" ? kInlineInputBytes : kScheduleInputBytes;
  absl::StatusOr<std::string> begun = file->Read(max + 1);
  if (!begun.ok()) return begun.status();
  if (begun->size() <= max) {
    spec.set_input(*std::move(begun));
    return absl::OkStatus();
  }
  if (command.arguments.Has("dry_run")) {
    return UsageError(StrCat("an input of more than ", max,
                             " bytes would be uploaded, which --dry_run does not; use payloads "
                             "put, and give --input_payload"));
  }
  const auto payload = Upload(command, *file, *std::move(begun), spec.content_type());
  if (!payload.ok()) return payload.status();
  spec.set_input_payload(payload->name());
  return absl::OkStatus();
}

absl::Status SetInput(const Command& command, size_t at, v1::TaskSpec& spec) {
  const auto& arguments = command.arguments.positional();
  if (const auto typed = command.arguments.Value("input_payload")) {
    if (arguments.size() > at) return UsageError("INPUT does not go with --input_payload");
    absl::StatusOr<std::string> name = PayloadName(*typed, command.Tenant());
    if (!name.ok()) return name.status();
    spec.set_input_payload(*std::move(name));
    return absl::OkStatus();
  }
  if (arguments.size() <= at) return absl::OkStatus();
  const std::string& typed = arguments[at];
  const bool is_file = !typed.empty() && typed[0] == '@';
  if (typed == "-" || is_file) {
    return SetInputFrom(command, is_file ? typed.substr(1) : typed, spec);
  }
  spec.set_input(typed);
  return absl::OkStatus();
}

template <typename Message>
absl::Status SetDuration(const Command& command, const std::string& flag,
                         google::protobuf::Duration* (Message::*field)(), Message& spec) {
  const auto text = command.arguments.Value(flag);
  if (!text) return absl::OkStatus();
  absl::StatusOr<absl::Duration> duration = ParseSeconds("--" + flag, *text);
  if (!duration.ok()) return duration.status();
  google::protobuf::Duration& target = *(spec.*field)();
  absl::Duration rest;
  target.set_seconds(absl::IDivDuration(*duration, absl::Seconds(1), &rest));
  target.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return absl::OkStatus();
}

absl::Status SetLabels(const Command& command, v1::TaskSpec& spec) {
  for (const std::string& label : command.arguments.Values("label")) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(StrCat("--label: \"", label, "\" is not KEY=VALUE"));
    }
    (*spec.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return absl::OkStatus();
}

absl::Status SetRetries(const Command& command, v1::TaskSpec& spec) {
  const auto attempts = IntegerFlag(command, "max_attempts", 0, 1, INT32_MAX);
  if (!attempts.ok()) return attempts.status();
  v1::RetryPolicy& policy = *spec.mutable_retry_policy();
  policy.set_max_attempts(static_cast<int>(*attempts));
  for (const absl::Status& status :
       {SetDuration(command, "backoff", &v1::RetryPolicy::mutable_initial_backoff, policy),
        SetDuration(command, "max_backoff", &v1::RetryPolicy::mutable_max_backoff, policy)}) {
    if (!status.ok()) return status;
  }
  if (const auto text = command.arguments.Value("jitter")) {
    double jitter = 0;
    if (!absl::SimpleAtod(*text, &jitter)) {
      return UsageError(StrCat("--jitter: \"", *text, "\" is no number"));
    }
    policy.set_jitter(jitter);
  }
  for (const std::string& typed : command.arguments.Values("not_retried")) {
    const absl::StatusOr<int> code = ParseCode("not_retried", typed);
    if (!code.ok()) return code.status();
    policy.add_not_retried_codes(*code);
  }
  return absl::OkStatus();
}

absl::Status SetUniqueKey(const Command& command, v1::TaskSpec& spec) {
  const auto key = command.arguments.Value("unique_key");
  const std::string conflict = command.arguments.ValueOr("on_conflict", "attach");
  if (conflict != "attach" && conflict != "refuse") {
    return UsageError(StrCat("--on_conflict: \"", conflict, "\" is neither attach nor refuse"));
  }
  if (!key && command.arguments.Value("on_conflict")) {
    return UsageError("--on_conflict goes with --unique_key");
  }
  if (!key) return absl::OkStatus();
  spec.mutable_unique_key()->set_key(*key);
  if (conflict == "refuse") {
    spec.mutable_unique_key()->set_on_conflict(v1::UniqueKey::ON_CONFLICT_REFUSE);
  }
  return absl::OkStatus();
}

absl::Status SetLimitKeys(const Command& command, v1::TaskSpec& spec) {
  for (const std::string& key : command.arguments.Values("limit_key")) spec.add_limit_keys(key);
  const auto cost = IntegerFlag(command, "slot_cost", 0, 1, INT32_MAX);
  if (cost.ok()) spec.set_slot_cost(static_cast<int32_t>(*cost));
  return cost.status();
}

absl::Status SetRelations(const Command& command, v1::TaskSpec& spec) {
  for (const std::string& typed : command.arguments.Values("after")) {
    absl::StatusOr<std::string> name = TaskName(typed, command.Tenant());
    if (!name.ok()) return name.status();
    spec.add_after(*std::move(name));
  }
  if (command.arguments.Has("if_succeeded")) {
    if (spec.after().empty()) return UsageError("--if_succeeded goes with --after");
    spec.set_after_condition(v1::AFTER_CONDITION_SUCCEEDED);
  }
  if (const auto url = command.arguments.Value("webhook")) spec.mutable_webhook()->set_url(*url);
  const auto key = command.arguments.Value("sequence");
  if (!key && command.arguments.Has("halt")) return UsageError("--halt goes with --sequence");
  if (!key) return absl::OkStatus();
  spec.mutable_sequence()->set_key(*key);
  if (command.arguments.Has("halt")) {
    spec.mutable_sequence()->set_on_failure(v1::Sequence::ON_FAILURE_HALT);
  }
  return absl::OkStatus();
}

}  // namespace

// Ranges are the server's to check: it knows its own limits.
absl::StatusOr<v1::TaskSpec> MakeSpec(const Command& command, size_t function_at) {
  const Arguments& arguments = command.arguments;
  v1::TaskSpec spec;
  spec.set_function(FunctionName(arguments.positional()[function_at]));
  spec.set_content_type(arguments.ValueOr("content_type", ""));
  spec.set_queue(arguments.ValueOr("queue", ""));
  spec.set_request_id(arguments.ValueOr("request_id", ""));
  if (arguments.Has("volatile")) spec.set_durability(v1::DURABILITY_VOLATILE);
  auto priority = IntegerFlag(command, "priority", 0, INT32_MIN, INT32_MAX);
  if (!priority.ok()) return priority.status();
  spec.set_priority(static_cast<int32_t>(*priority));
  for (const absl::Status& status :
       {SetDuration(command, "delay", &v1::TaskSpec::mutable_delay, spec),
        SetDuration(command, "task_timeout", &v1::TaskSpec::mutable_timeout, spec),
        SetDuration(command, "start_timeout", &v1::TaskSpec::mutable_schedule_to_start_timeout,
                    spec),
        SetDuration(command, "heartbeat_timeout", &v1::TaskSpec::mutable_heartbeat_timeout, spec),
        SetRetries(command, spec), SetUniqueKey(command, spec), SetLimitKeys(command, spec),
        SetRelations(command, spec), SetLabels(command, spec)}) {
    if (!status.ok()) return status;
  }
  if (absl::Status status = SetInput(command, function_at + 1, spec); !status.ok()) return status;
  return spec;
}

namespace {

// The output as the function left it; on a terminal with the line end without which the prompt
// would stick to it.
std::string OutputText(const Command& command, const std::string& output) {
  const bool ends = output.empty() || output.back() == '\n';
  return ends || !command.shell.out_is_terminal ? output : output + "\n";
}

void TellAttached(Command& command, const v1::SpawnTaskResponse& spawned) {
  if (!spawned.attached()) return;
  command.shell.err << "attached to the task that has the key" << std::endl;
}

absl::Status SpawnOne(Command& command, const v1::SpawnTaskRequest& request) {
  auto spawned = command.client->SpawnOrAttach(request);
  if (!spawned.ok()) return spawned.status();
  TellAttached(command, *spawned);
  const v1::Task& task = spawned->task();
  Print(command, task, [&] { return Escape(task.name()) + "\n"; });
  return absl::OkStatus();
}

absl::StatusOr<v1::Task> SpawnAndWait(Command& command, const v1::SpawnTaskRequest& request) {
  Waiting waiting(command);
  StopOnInterrupt& interrupt = waiting.interrupt();
  auto spawned = command.client->SpawnOrAttach(request, &interrupt.stop());
  if (!spawned.ok() && interrupt.stop().is_set()) {
    return InterruptedError(StrCat("interrupted before the answer came: \"", SelfText(command),
                                   " tasks\" shows whether there is a task"));
  }
  if (!spawned.ok()) return spawned.status();
  TellAttached(command, *spawned);
  // Whatever becomes of grovectl, the task can be found.
  const std::string& name = spawned->task().name();
  command.shell.err << Escape(name) << std::endl;
  auto ended = command.client->Wait(name, waiting.Options(v1::TASK_VIEW_OUTPUT));
  if (!ended.ok()) return waiting.Explain(ended.status(), {name});
  return ended;
}

absl::Status SpawnWaited(Command& command, const v1::SpawnTaskRequest& request) {
  absl::StatusOr<v1::Task> task = SpawnAndWait(command, request);
  if (!task.ok()) return task.status();
  if (command.ForPeople() && !task->output_payload().empty()) {
    absl::Status status = DownloadToOutput(command, task->output_payload());
    if (!status.ok()) return status;
  } else {
    Print(command, *task, [&] { return OutputText(command, task->output()); });
  }
  return OutcomeOf(*task, command.wait_timeout);
}

absl::Status CheckMany(const Command& command) {
  if (command.arguments.Value("request_id")) {
    return UsageError("--request_id names one task: it goes with neither --count nor --inputs");
  }
  if (command.arguments.Value("inputs") && command.arguments.positional().size() > 1) {
    return UsageError("INPUT does not go with --inputs, whose lines are the inputs");
  }
  return absl::OkStatus();
}

// It is spawned with one batch.
absl::Status CheckCompletion(const Command& command, std::optional<int64_t> count) {
  if (!command.arguments.Value("completion")) {
    if (!command.arguments.Value("completion_input")) return absl::OkStatus();
    return UsageError("--completion_input goes with --completion");
  }
  if (count && *count <= static_cast<int64_t>(kBatchTasksMax)) return absl::OkStatus();
  return UsageError(StrCat("--completion goes with a --count of at most ", kBatchTasksMax));
}

}  // namespace

absl::Status RunSpawn(Command& command) {
  std::optional<int64_t> count;
  if (command.arguments.Value("count")) {
    absl::StatusOr<int64_t> given = IntegerFlag(command, "count", 1, 1, kCountMax);
    if (!given.ok()) return given.status();
    count = *given;
  }
  const bool many = count || command.arguments.Value("inputs");
  if (absl::Status status = many ? CheckMany(command) : absl::OkStatus(); !status.ok()) {
    return status;
  }
  if (absl::Status fits = CheckCompletion(command, count); !fits.ok()) return fits;
  v1::SpawnTaskRequest request;
  absl::StatusOr<std::string> parent = command.Parent();
  if (!parent.ok()) return parent.status();
  request.set_parent(*parent);
  absl::StatusOr<v1::TaskSpec> spec = MakeSpec(command, 0);
  if (!spec.ok()) return spec.status();
  *request.mutable_spec() = *std::move(spec);
  if (many) return SpawnMany(command, request, count);
  return command.arguments.Has("wait") ? SpawnWaited(command, request) : SpawnOne(command, request);
}

}  // namespace grove::client::cli
