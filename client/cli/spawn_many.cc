#include "client/cli/spawn_many.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/error_line.h"
#include "client/cli/inputs.h"
#include "client/cli/json_view.h"
#include "client/cli/render.h"
#include "client/cli/task_commands.h"
#include "client/cli/text.h"
#include "client/cli/waiting.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {
namespace {

using Json = nlohmann::ordered_json;

// Small enough for progress to move, large enough to cost no round trips worth counting.
constexpr size_t kBatchTasksMax = 1000;

// A server reads messages of 4 MiB unless told otherwise.
constexpr size_t kBatchBytesMax = 3 * 1024 * 1024;

// More of them say nothing new.
constexpr size_t kNamedRefusalsMax = 10;

absl::Duration Monotonic() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// What became of the tasks so far.
struct Crowd {
  // Of the accepted ones, as far as they are wanted later.
  std::vector<std::string> names;
  size_t asked = 0;
  size_t accepted = 0;
  size_t refused = 0;
  std::map<v1::TaskState, size_t> states;
  // Of the first refused, lost or failed one.
  absl::Status error;

  size_t Succeeded() const {
    const auto found = states.find(v1::TASK_STATE_SUCCEEDED);
    return found == states.end() ? 0 : found->second;
  }
};

// Specs of one batch, and the lines they came from (0: from none).
struct Batch {
  v1::BatchSpawnTasksRequest request;
  std::vector<int64_t> lines;
  bool last = false;
};

class Run {
 public:
  Run(Command& command, const v1::SpawnTaskRequest& one, std::optional<int64_t> count)
      : command_(command),
        one_(one),
        left_(count.value_or(INT64_MAX)),
        waits_(command.arguments.Has("wait")),
        waiting_(command) {}

  absl::Status Open();
  absl::Status Spawn();
  absl::Status Wait();
  void PrintResult();
  absl::Status Outcome() const;

 private:
  absl::Status Fill(Batch& batch);
  absl::StatusOr<bool> AddNext(Batch& batch);
  absl::Status Send(Batch& batch);
  void Refuse(const google::rpc::Status& reason, int64_t line);
  void Tell(const v1::BatchSpawnTasksResponse& response, const Batch& batch);
  void Count(const v1::BatchWaitTasksResponse& response);
  bool Streams() const { return !waits_ && !IsDocument(); }
  bool IsDocument() const {
    return command_.format == OutputFormat::kJson || command_.format == OutputFormat::kYaml;
  }
  bool stopped() { return waiting_.interrupt().stop().is_set(); }

  Command& command_;
  const v1::SpawnTaskRequest& one_;
  // Tasks that may still be spawned.
  int64_t left_;
  const bool waits_;
  Waiting waiting_;
  std::unique_ptr<LineReader> lines_;
  Crowd crowd_;
  const absl::Duration start_ = Monotonic();
};

absl::Status Run::Open() {
  const auto inputs = command_.arguments.Value("inputs");
  if (!inputs) return absl::OkStatus();
  int fd = command_.shell.in_fd;
  auto ownership = LineReader::Ownership::kBorrowed;
  if (*inputs != "-") {
    const std::string path = inputs->starts_with("@") ? inputs->substr(1) : *inputs;
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(errno, StrCat("--inputs: open ", path));
    ownership = LineReader::Ownership::kOwned;
  }
  lines_ = std::make_unique<LineReader>(fd, ownership, waiting_.interrupt().fd(), kInputBytesMax);
  return absl::OkStatus();
}

// False: there are no more.
absl::StatusOr<bool> Run::AddNext(Batch& batch) {
  if (left_ == 0) return false;
  int64_t line = 0;
  v1::TaskSpec spec = one_.spec();
  if (lines_ != nullptr) {
    auto next = lines_->Next();
    if (!next.ok()) return PrefixedStatus(next.status(), "--inputs: ");
    if (!*next) return false;
    line = (*next)->number;
    spec.set_input(std::move((*next)->text));
  }
  --left_;
  *batch.request.add_specs() = std::move(spec);
  batch.lines.push_back(line);
  return true;
}

absl::Status Run::Fill(Batch& batch) {
  batch.request.set_parent(one_.parent());
  size_t bytes = 0;
  while (batch.lines.size() < kBatchTasksMax && bytes < kBatchBytesMax) {
    // What came so far is not held up by whoever writes the rest.
    if (!batch.lines.empty() && lines_ != nullptr && lines_->MustWait()) break;
    absl::StatusOr<bool> more = AddNext(batch);
    if (!more.ok()) return more.status();
    batch.last = !*more;
    if (batch.last) break;
    bytes += batch.request.specs(batch.request.specs_size() - 1).ByteSizeLong();
  }
  return absl::OkStatus();
}

absl::Status Run::Send(Batch& batch) {
  auto response = command_.client->SpawnBatch(batch.request, &waiting_.interrupt().stop());
  if (!response.ok() && stopped()) return waiting_.Interrupted(crowd_.accepted);
  if (!response.ok()) {
    std::string where = crowd_.asked == 0 ? "" : StrCat("after ", crowd_.asked, " tasks: ");
    if (batch.lines[0] != 0) where = StrCat("from line ", batch.lines[0], " on: ");
    return PrefixedStatus(response.status(), where);
  }
  if (Streams()) Tell(*response, batch);
  for (int i = 0; i < response->results_size(); ++i) {
    auto& result = *response->mutable_results(i);
    if (result.has_error()) {
      Refuse(result.error(), batch.lines[static_cast<size_t>(i)]);
      continue;
    }
    ++crowd_.accepted;
    if (!Streams()) crowd_.names.push_back(std::move(*result.mutable_name()));
  }
  crowd_.asked += batch.lines.size();
  return absl::OkStatus();
}

void Run::Refuse(const google::rpc::Status& reason, int64_t line) {
  const absl::Status status = ToAbslStatus(reason);
  if (crowd_.refused++ == 0) {
    crowd_.error = line == 0 ? status : PrefixedStatus(status, StrCat("line ", line, ": "));
  }
  if (line == 0 || crowd_.refused > kNamedRefusalsMax) return;
  waiting_.progress().Notice(ErrorLine(StrCat("spawn: line ", line), status, command_.address));
}

// The names as they come.
void Run::Tell(const v1::BatchSpawnTasksResponse& response, const Batch& batch) {
  waiting_.progress().Clear();
  for (int i = 0; i < response.results_size(); ++i) {
    const auto& result = response.results(i);
    if (command_.format != OutputFormat::kJsonl) {
      if (result.has_name()) command_.shell.out << Escape(result.name()) << "\n";
      continue;
    }
    Json json = Json::object();
    const int64_t line = batch.lines[static_cast<size_t>(i)];
    if (line != 0) json["line"] = line;
    if (result.has_name()) json["name"] = result.name();
    if (result.attached()) json["attached"] = true;
    if (result.has_error()) json["error"] = ToJson(result.error());
    command_.shell.out << RenderJsonLine(json);
  }
  command_.shell.out.flush();
}

absl::Status Run::Spawn() {
  for (bool last = left_ == 0; !last;) {
    Batch batch;
    absl::Status status = Fill(batch);
    if (stopped() || absl::IsCancelled(status)) return waiting_.Interrupted(crowd_.accepted);
    // What stands before a broken line counts.
    if (batch.request.specs_size() > 0) {
      absl::Status sent = Send(batch);
      if (!sent.ok()) return sent;
    }
    if (!status.ok()) return status;
    if (waits_ && crowd_.asked > static_cast<size_t>(kCountMax)) {
      return UsageError(StrCat("--wait goes with at most ", kCountMax, " tasks"));
    }
    last = batch.last || left_ == 0;
    if (!(Streams() && command_.shell.out_is_terminal)) {
      const std::string total = lines_ == nullptr ? StrCat(" of ", crowd_.asked + left_) : "";
      waiting_.progress().Show(StrCat("spawned ", crowd_.asked, total));
    }
  }
  return absl::OkStatus();
}

absl::Status Run::Wait() {
  const bool shows_tasks = command_.format == OutputFormat::kJsonl;
  WaitOptions options = waiting_.Options(shows_tasks ? v1::TASK_VIEW_OUTPUT : v1::TASK_VIEW_BASIC);
  const absl::Duration end = Monotonic() + command_.wait_timeout;
  size_t done = 0;
  options.on_count = [&](size_t ended, size_t) {
    waiting_.progress().Show(StrCat("ended: ", done + ended, " of ", crowd_.names.size()));
  };
  while (done < crowd_.names.size()) {
    const size_t batch = std::min(kBatchTasksMax, crowd_.names.size() - done);
    const auto first = crowd_.names.begin() + static_cast<std::ptrdiff_t>(done);
    const std::vector<std::string> names(first, first + static_cast<std::ptrdiff_t>(batch));
    options.timeout = std::max(end - Monotonic(), absl::ZeroDuration());
    auto response = command_.client->WaitBatch(names, options);
    if (stopped()) return waiting_.Interrupted(crowd_.names.size() - done);
    if (!response.ok()) return response.status();
    Count(*response);
    done += batch;
  }
  return absl::OkStatus();
}

void Run::Count(const v1::BatchWaitTasksResponse& response) {
  for (const auto& result : response.results()) {
    if (result.has_error()) {
      Refuse(result.error(), 0);
      continue;
    }
    ++crowd_.states[result.task().state()];
    absl::Status outcome = OutcomeOf(result.task(), command_.wait_timeout);
    if (crowd_.error.ok()) crowd_.error = std::move(outcome);
    if (command_.format == OutputFormat::kJsonl) {
      command_.shell.out << RenderJsonLine(ToJson(result.task()));
    }
  }
}

Json SummaryJson(const Crowd& crowd, double seconds, double rate) {
  Json states = Json::object();
  for (const auto& [state, number] : crowd.states) states[StateName(state)] = number;
  return {{"count", crowd.asked},
          {"states", states},
          {"refused", crowd.refused},
          {"seconds", seconds},
          {"tasks_per_second", rate}};
}

std::string SummaryText(const Crowd& crowd, absl::Duration took, double rate) {
  std::vector<std::string> parts;
  for (const auto& [state, number] : crowd.states) {
    parts.push_back(StrCat(number, " ", StateName(state)));
  }
  if (crowd.refused > 0) parts.push_back(StrCat(crowd.refused, " refused"));
  return absl::StrFormat("%d tasks in %s (%.0f tasks/s): %s\n", crowd.asked, DurationText(took),
                         rate, absl::StrJoin(parts, ", "));
}

void Run::PrintResult() {
  waiting_.progress().Clear();
  if (Streams()) return;
  if (!waits_) {
    Print(command_, Json{{"names", crowd_.names}, {"refused", crowd_.refused}},
          [] { return std::string(); });
    return;
  }
  if (command_.format == OutputFormat::kJsonl) return;
  if (command_.format == OutputFormat::kName) {
    for (const std::string& name : crowd_.names) command_.shell.out << Escape(name) << "\n";
    return;
  }
  const absl::Duration took = Monotonic() - start_;
  const double seconds = absl::ToDoubleSeconds(took);
  const double rate = static_cast<double>(crowd_.accepted) / std::max(seconds, 1e-9);
  Print(command_, SummaryJson(crowd_, seconds, rate),
        [&] { return SummaryText(crowd_, took, rate); });
}

absl::Status Run::Outcome() const {
  const size_t good = waits_ ? crowd_.Succeeded() : crowd_.accepted;
  if (good == crowd_.asked) return absl::OkStatus();
  return PrefixedStatus(crowd_.error,
                        StrCat(crowd_.asked - good, " of ", crowd_.asked,
                               waits_ ? " did not succeed" : " were refused", "; the first: "));
}

}  // namespace

absl::Status SpawnMany(Command& command, const v1::SpawnTaskRequest& one,
                       std::optional<int64_t> count) {
  Run run(command, one, count);
  absl::Status status = run.Open();
  if (status.ok()) status = run.Spawn();
  if (status.ok() && command.arguments.Has("wait")) status = run.Wait();
  if (!status.ok()) return status;
  run.PrintResult();
  return run.Outcome();
}

}  // namespace grove::client::cli
