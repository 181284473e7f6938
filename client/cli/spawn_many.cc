#include "client/cli/spawn_many.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "client/cli/error_line.h"
#include "client/cli/inputs.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/task_commands.h"
#include "client/cli/text.h"
#include "client/cli/waiting.h"
#include "client/spawn_stream.h"
#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {
namespace {

using Json = nlohmann::ordered_json;

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

// Specs of one batch.
struct Batch {
  v1::BatchSpawnTasksRequest request;
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
  // The same for each: in batches.
  absl::Status SpawnBatches();
  void Fill(Batch& batch);
  absl::Status Send(const Batch& batch);
  // The lines of a file or pipe: as they come, in a stream.
  absl::Status SpawnLines();
  absl::Status AddLines(SpawnStream& stream);
  SpawnStreamOptions StreamOptions();
  void TakeResult(SpawnResult result);
  // What became of one; `line`: 0 if it came from none.
  void Take(const absl::Status& status, std::string name, bool attached, int64_t line);
  void Refuse(const absl::Status& status, int64_t line);
  void Tell(const absl::Status& status, const std::string& name, bool attached, int64_t line);
  void ShowSpawned();
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
  // Of the stream's tasks without a result: the lines they came from.
  absl::Mutex mutex_;
  std::deque<int64_t> under_way_ ABSL_GUARDED_BY(mutex_);
  // The first line whose task has no result but that the stream has failed.
  int64_t lost_from_ ABSL_GUARDED_BY(mutex_) = 0;
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

void Run::Fill(Batch& batch) {
  batch.request.set_parent(one_.parent());
  const size_t bytes = one_.spec().ByteSizeLong();
  for (size_t i = 0; i < kBatchTasksMax && i * bytes < kBatchBytesMax && left_ > 0; ++i, --left_) {
    *batch.request.add_specs() = one_.spec();
  }
  batch.last = left_ == 0;
  const auto completion = command_.arguments.Value("completion");
  if (!completion || !batch.last) return;
  v1::TaskSpec& spec = *batch.request.mutable_completion();
  spec = one_.spec();
  spec.set_function(FunctionName(*completion));
  spec.set_input(command_.arguments.ValueOr("completion_input", ""));
}

absl::Status Run::Send(const Batch& batch) {
  auto response = command_.client->SpawnBatch(batch.request, &waiting_.interrupt().stop());
  if (!response.ok() && stopped()) return waiting_.Interrupted(crowd_.accepted);
  if (!response.ok()) {
    const std::string where = crowd_.asked == 0 ? "" : StrCat("after ", crowd_.asked, " tasks: ");
    return PrefixedStatus(response.status(), where);
  }
  for (auto& result : *response->mutable_results()) {
    const absl::Status status =
        result.has_error() ? ToAbslStatus(result.error()) : absl::OkStatus();
    Take(status, result.name(), result.attached(), 0);
  }
  if (response->has_completion()) {
    const auto& result = response->completion();
    Take(result.has_error() ? ToAbslStatus(result.error()) : absl::OkStatus(), result.name(),
         result.attached(), 0);
  }
  command_.shell.out.flush();
  return absl::OkStatus();
}

absl::Status Run::SpawnBatches() {
  for (bool last = left_ == 0; !last;) {
    Batch batch;
    Fill(batch);
    if (absl::Status sent = Send(batch); !sent.ok()) return sent;
    last = batch.last;
    ShowSpawned();
    if (stopped() && !last) return waiting_.Interrupted(crowd_.accepted);
  }
  return absl::OkStatus();
}

SpawnStreamOptions Run::StreamOptions() {
  SpawnStreamOptions options;
  options.parent = one_.parent();
  options.message_max = kBatchTasksMax;
  options.stop = &waiting_.interrupt().stop();
  options.on_outage = [this](const absl::Status&) {
    waiting_.progress().Notice(
        StrCat("grovectl: ", command_.address, " fell silent; the rest is sent once it is back"));
  };
  options.on_back = [this] {
    waiting_.progress().Notice(StrCat("grovectl: ", command_.address, " is back"));
  };
  return options;
}

absl::Status Run::AddLines(SpawnStream& stream) {
  for (int64_t added = 0; left_ > 0; --left_) {
    auto next = lines_->Next();
    if (!next.ok()) return PrefixedStatus(next.status(), "--inputs: ");
    if (!*next) return absl::OkStatus();
    if (waits_ && ++added > kCountMax) {
      return UsageError(StrCat("--wait goes with at most ", kCountMax, " tasks"));
    }
    v1::TaskSpec spec = one_.spec();
    spec.set_input(std::move((*next)->text));
    {
      const absl::MutexLock lock(&mutex_);
      under_way_.push_back((*next)->number);
    }
    const absl::Status taken = stream.Add(std::move(spec));
    if (!taken.ok()) return PrefixedStatus(taken, StrCat("line ", (*next)->number, ": "));
  }
  return absl::OkStatus();
}

absl::Status Run::SpawnLines() {
  const auto stream = command_.client->OpenSpawnStream(
      StreamOptions(), [this](SpawnResult result) { TakeResult(std::move(result)); });
  absl::Status read = AddLines(*stream);
  // What stands before a broken line counts.
  const absl::Status finished = stream->Finish();
  if (stopped() || absl::IsCancelled(read)) return waiting_.Interrupted(crowd_.accepted);
  if (finished.ok()) return read;
  const absl::MutexLock lock(&mutex_);
  // Those that have no result are the last ones.
  const int64_t from = lost_from_;
  return PrefixedStatus(finished, from == 0 ? "" : StrCat("from line ", from, " on: "));
}

// On the stream's thread.
void Run::TakeResult(SpawnResult result) {
  int64_t line = 0;
  {
    const absl::MutexLock lock(&mutex_);
    line = under_way_.front();
    under_way_.pop_front();
  }
  // The end of the stream says why.
  if (!result.answered) {
    const absl::MutexLock lock(&mutex_);
    if (lost_from_ == 0) lost_from_ = line;
    return;
  }
  Take(result.status, std::move(result.name), result.attached, line);
  command_.shell.out.flush();
  if (crowd_.asked % kBatchTasksMax == 0) ShowSpawned();
}

void Run::Take(const absl::Status& status, std::string name, bool attached, int64_t line) {
  ++crowd_.asked;
  if (Streams()) Tell(status, name, attached, line);
  if (!status.ok()) return Refuse(status, line);
  ++crowd_.accepted;
  if (!Streams()) crowd_.names.push_back(std::move(name));
}

void Run::Refuse(const absl::Status& status, int64_t line) {
  if (crowd_.refused++ == 0) {
    crowd_.error = line == 0 ? status : PrefixedStatus(status, StrCat("line ", line, ": "));
  }
  if (line == 0 || crowd_.refused > kNamedRefusalsMax) return;
  waiting_.progress().Notice(ErrorLine(StrCat("spawn: line ", line), status, command_.address));
}

// The names as they come.
void Run::Tell(const absl::Status& status, const std::string& name, bool attached, int64_t line) {
  waiting_.progress().Clear();
  if (command_.format != OutputFormat::kJsonl) {
    if (status.ok()) command_.shell.out << Escape(name) << "\n";
    return;
  }
  Json json = Json::object();
  if (line != 0) json["line"] = line;
  if (status.ok()) json["name"] = name;
  if (attached) json["attached"] = true;
  if (!status.ok()) json["error"] = ToJson(ToRpcStatus(status));
  command_.shell.out << RenderJsonLine(json);
}

void Run::ShowSpawned() {
  if (Streams() && command_.shell.out_is_terminal) return;
  const std::string total = lines_ == nullptr ? StrCat(" of ", crowd_.asked + left_) : "";
  waiting_.progress().Show(StrCat("spawned ", crowd_.asked, total));
}

absl::Status Run::Spawn() {
  return lines_ == nullptr ? SpawnBatches() : SpawnLines();
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
      Refuse(ToAbslStatus(result.error()), 0);
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
