#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/task_commands.h"
#include "client/cli/text.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Json = nlohmann::ordered_json;

// Beyond what any server accepts as one input: keeps a mistyped @file from filling the memory.
constexpr size_t kInputBytesMax = 64 * 1024 * 1024;

constexpr int64_t kCountMax = 1000000;

// Small enough for progress to move, large enough to cost no round trips worth counting.
constexpr size_t kBatchTasksMax = 1000;

// A server reads messages of 4 MiB unless told otherwise.
constexpr size_t kBatchBytesMax = 3 * 1024 * 1024;

absl::StatusOr<std::string> ReadInput(const Command& command) {
  const auto& arguments = command.arguments.positional();
  if (arguments.size() < 2) return std::string();
  const std::string& typed = arguments[1];
  if (typed == "-") return ReadAll(command.shell.in_fd, kInputBytesMax);
  if (!typed.empty() && typed[0] == '@') return ReadWholeFile(typed.substr(1), kInputBytesMax);
  return typed;
}

absl::Status SetDuration(const Command& command, const std::string& flag,
                         google::protobuf::Duration* (v1::TaskSpec::*field)(), v1::TaskSpec& spec) {
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

// Ranges are the server's to check: it knows its own limits.
absl::StatusOr<v1::TaskSpec> MakeSpec(const Command& command) {
  const Arguments& arguments = command.arguments;
  v1::TaskSpec spec;
  spec.set_function(FunctionName(arguments.positional()[0]));
  spec.set_content_type(arguments.ValueOr("content_type", ""));
  spec.set_queue(arguments.ValueOr("queue", ""));
  spec.set_request_id(arguments.ValueOr("request_id", ""));
  if (arguments.Has("volatile")) spec.set_durability(v1::DURABILITY_VOLATILE);
  auto priority = IntegerFlag(command, "priority", 0, INT32_MIN, INT32_MAX);
  if (!priority.ok()) return priority.status();
  spec.set_priority(static_cast<int32_t>(*priority));
  auto attempts = IntegerFlag(command, "max_attempts", 0, 1, INT32_MAX);
  if (!attempts.ok()) return attempts.status();
  if (*attempts > 0) spec.mutable_retry_policy()->set_max_attempts(static_cast<int>(*attempts));
  for (const absl::Status& status :
       {SetDuration(command, "delay", &v1::TaskSpec::mutable_delay, spec),
        SetDuration(command, "task_timeout", &v1::TaskSpec::mutable_timeout, spec),
        SetLabels(command, spec)}) {
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::string> input = ReadInput(command);
  if (!input.ok()) return input.status();
  spec.set_input(*std::move(input));
  return spec;
}

// The output as the function left it; a line end is added where a terminal's prompt would stick to
// it.
std::string OutputText(const v1::Task& task) {
  const std::string& output = task.output();
  return output.empty() || output.back() == '\n' ? output : output + "\n";
}

absl::Status SpawnOne(Command& command, v1::SpawnTaskRequest& request) {
  auto task = command.client->Spawn(request);
  if (!task.ok()) return task.status();
  if (!command.arguments.Has("wait")) {
    Print(command, ToJson(*task), [&] { return Escape(task->name()) + "\n"; });
    return absl::OkStatus();
  }
  // Whoever interrupts the wait knows what goes on without it.
  if (command.shell.err_is_terminal) command.shell.err << Escape(task->name()) << std::endl;
  auto ended = command.client->Wait(task->name(), command.wait_timeout);
  if (!ended.ok()) return ended.status();
  Print(command, ToJson(*ended), [&] { return OutputText(*ended); });
  return OutcomeOf(*ended, command.wait_timeout);
}

// Redraws one line of the terminal; silent where there is none.
class Progress {
 public:
  Progress(Shell& shell, size_t total) : shell_(shell), total_(total) {}
  ~Progress() {
    if (shell_.err_is_terminal) shell_.err << "\r\033[K" << std::flush;
  }

  void Show(std::string_view what, size_t done) {
    if (shell_.err_is_terminal) {
      shell_.err << "\r\033[K" << what << " " << done << " of " << total_ << std::flush;
    }
  }

 private:
  Shell& shell_;
  const size_t total_;
};

// Many tasks of one spec: what became of them.
struct Crowd {
  std::vector<std::string> names;
  std::map<v1::TaskState, size_t> states;
  size_t refused = 0;
  // Of the first refused or lost one.
  absl::Status error;

  void Refuse(const google::rpc::Status& reason) {
    if (refused++ == 0) error = ToAbslStatus(reason);
  }
  size_t Succeeded() const {
    const auto found = states.find(v1::TASK_STATE_SUCCEEDED);
    return found == states.end() ? 0 : found->second;
  }
};

absl::Status SpawnCrowd(Command& command, const v1::SpawnTaskRequest& one, size_t count,
                        Progress& progress, Crowd& crowd) {
  const size_t batch_max =
      std::clamp<size_t>(kBatchBytesMax / one.spec().ByteSizeLong(), 1, kBatchTasksMax);
  for (size_t done = 0; done < count;) {
    v1::BatchSpawnTasksRequest request;
    request.set_parent(one.parent());
    const size_t batch = std::min(batch_max, count - done);
    for (size_t i = 0; i < batch; ++i) *request.add_specs() = one.spec();
    auto response = command.client->SpawnBatch(request);
    if (!response.ok()) {
      return PrefixedStatus(response.status(), done == 0 ? "" : StrCat("after ", done, " tasks: "));
    }
    for (auto& result : *response->mutable_results()) {
      if (result.has_error()) {
        crowd.Refuse(result.error());
      } else {
        crowd.names.push_back(std::move(*result.mutable_name()));
      }
    }
    done += batch;
    progress.Show("spawned", done);
  }
  return absl::OkStatus();
}

absl::Status WaitForCrowd(Command& command, Progress& progress, Crowd& crowd) {
  const absl::Time end = absl::Now() + command.wait_timeout;
  for (size_t done = 0; done < crowd.names.size();) {
    const size_t batch = std::min(kBatchTasksMax, crowd.names.size() - done);
    const auto first = crowd.names.begin() + static_cast<std::ptrdiff_t>(done);
    const std::vector<std::string> names(first, first + static_cast<std::ptrdiff_t>(batch));
    auto response =
        command.client->WaitBatch(names, std::max(end - absl::Now(), absl::ZeroDuration()));
    if (!response.ok()) return response.status();
    for (const auto& result : response->results()) {
      if (result.has_error()) {
        crowd.Refuse(result.error());
        continue;
      }
      ++crowd.states[result.task().state()];
      absl::Status outcome = OutcomeOf(result.task(), command.wait_timeout);
      if (crowd.error.ok()) crowd.error = std::move(outcome);
    }
    done += batch;
    progress.Show("waited for", done);
  }
  return absl::OkStatus();
}

void PrintSummary(Command& command, const Crowd& crowd, size_t count, absl::Duration took) {
  const double seconds = absl::ToDoubleSeconds(took);
  const double rate = static_cast<double>(crowd.names.size()) / std::max(seconds, 1e-9);
  Json states = Json::object();
  std::vector<std::string> parts;
  for (const auto& [state, number] : crowd.states) {
    states[StateName(state)] = number;
    parts.push_back(StrCat(number, " ", StateName(state)));
  }
  if (crowd.refused > 0) parts.push_back(StrCat(crowd.refused, " refused"));
  const Json json = {{"count", count},
                     {"states", states},
                     {"refused", crowd.refused},
                     {"seconds", seconds},
                     {"tasks_per_second", rate}};
  Print(command, json, [&] {
    return absl::StrFormat("%d tasks in %s (%.0f tasks/s): %s\n", count, DurationText(took), rate,
                           absl::StrJoin(parts, ", "));
  });
}

void PrintNames(Command& command, const Crowd& crowd) {
  Print(command, Json{{"names", crowd.names}, {"refused", crowd.refused}}, [&] {
    std::string out;
    for (const std::string& name : crowd.names) StrAppend(&out, Escape(name), "\n");
    return out;
  });
}

absl::Status SpawnMany(Command& command, const v1::SpawnTaskRequest& one, size_t count) {
  const bool wait = command.arguments.Has("wait");
  const absl::Time start = absl::Now();
  Crowd crowd;
  {
    Progress progress(command.shell, count);
    absl::Status status = SpawnCrowd(command, one, count, progress, crowd);
    if (status.ok() && wait) status = WaitForCrowd(command, progress, crowd);
    if (!status.ok()) return status;
  }
  if (wait) {
    PrintSummary(command, crowd, count, absl::Now() - start);
  } else {
    PrintNames(command, crowd);
  }
  const size_t good = wait ? crowd.Succeeded() : crowd.names.size();
  if (good == count) return absl::OkStatus();
  return PrefixedStatus(
      crowd.error, StrCat(count - good, " of ", count, wait ? " did not succeed" : " were refused",
                          "; the first: "));
}

}  // namespace

absl::Status RunSpawn(Command& command) {
  const bool many = command.arguments.Value("count").has_value();
  auto count = IntegerFlag(command, "count", 1, 1, kCountMax);
  if (!count.ok()) return count.status();
  if (many && command.arguments.Value("request_id")) {
    return UsageError("--request_id names one task: it does not go with --count");
  }
  v1::SpawnTaskRequest request;
  absl::StatusOr<std::string> parent = TenantName(command.Tenant());
  if (!parent.ok()) return parent.status();
  request.set_parent(*parent);
  absl::StatusOr<v1::TaskSpec> spec = MakeSpec(command);
  if (!spec.ok()) return spec.status();
  *request.mutable_spec() = *std::move(spec);
  if (many) return SpawnMany(command, request, static_cast<size_t>(*count));
  return SpawnOne(command, request);
}

}  // namespace grove::client::cli
