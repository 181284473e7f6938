// Two threads: one makes connections and writes to them, one reads what the connection of the
// moment answers. What both know is in the ledger, under the mutex; results are told without it.
#include "client/spawn_stream.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "client/client.h"
#include "client/patience.h"
#include "client/spawn_ledger.h"
#include "client/status_details.h"
#include "client/stubs.h"

namespace grove::client {
namespace {

using Wire = grpc::ClientReaderWriter<v1::SpawnTasksRequest, v1::SpawnTasksResponse>;

// No other stream's, nor another run's of the same program.
std::string DrawPrefix(const SpawnStreamOptions& options) {
  if (!options.fill_request_ids) return "";
  std::random_device random;
  return absl::StrFormat("stream-%08x%08x-", random(), random());
}

WaitOptions PatienceOf(const SpawnStreamOptions& options) {
  WaitOptions patience;
  patience.outage_max = options.outage_max;
  patience.on_outage = options.on_outage;
  patience.on_back = options.on_back;
  patience.stop = options.stop;
  return patience;
}

// What the server itself says may pass is an outage like any other.
absl::Status Softened(const absl::Status& ended) {
  if (ended.ok()) return absl::UnavailableError("the server ended the stream");
  return RetryDelayOf(ended) ? absl::UnavailableError(ended.message()) : ended;
}

}  // namespace

struct SpawnStream::State {
  State(std::shared_ptr<Client::Stubs> stubs_of_client, SpawnStreamOptions stream_options,
        OnResult callback)
      : stubs(std::move(stubs_of_client)),
        options(std::move(stream_options)),
        patience_options(PatienceOf(options)),
        on_result(std::move(callback)),
        ledger(options, DrawPrefix(options)) {}

  void Run();
  // One connection, to its end.
  absl::Status Connect();
  void Write(Wire& wire);
  void Read(Wire& wire);
  // What was answered, told without the mutex.
  absl::Status Take(v1::SpawnTasksResponse& response);
  void Tell(std::vector<SpawnResult> results) const;
  void Fail(const absl::Status& why);

  bool CanSend() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return broken || cancelled || ledger.HasUnsent() || closed;
  }
  bool CanAdd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return failed || closed || ledger.HasRoom();
  }

  // Outlives the client, if need be.
  const std::shared_ptr<Client::Stubs> stubs;
  const SpawnStreamOptions options;
  const WaitOptions patience_options;
  const OnResult on_result;
  Patience patience{patience_options, stubs->heard, *stubs->channel};

  absl::Mutex mutex;
  SpawnLedger ledger ABSL_GUARDED_BY(mutex);
  // Nothing more is added.
  bool closed ABSL_GUARDED_BY(mutex) = false;
  // The destructor has come.
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
  // The connection answers no more.
  bool broken ABSL_GUARDED_BY(mutex) = false;
  // Of the connection, if it is not its own: an answer that cannot be taken.
  absl::Status refused ABSL_GUARDED_BY(mutex);
  grpc::ClientContext* context ABSL_GUARDED_BY(mutex) = nullptr;
  // There will be no further connection: nothing can be added, and what is left has no answer.
  bool failed ABSL_GUARDED_BY(mutex) = false;
  absl::Status status ABSL_GUARDED_BY(mutex);
  // And all results are told.
  bool done ABSL_GUARDED_BY(mutex) = false;

  std::thread thread;
};

void SpawnStream::State::Run() {
  for (;;) {
    const absl::Status ended = Connect();
    {
      const absl::MutexLock lock(&mutex);
      if (cancelled) break;
      if (ended.ok() && closed && ledger.specs() == 0) break;
      if (absl::Status again = ledger.Rewind(); !again.ok()) {
        refused = again;
        break;
      }
    }
    const absl::Status excused = patience.Excuse(Softened(ended));
    if (excused.ok()) continue;
    const absl::MutexLock lock(&mutex);
    refused = excused;
    break;
  }
  absl::Status why;
  {
    const absl::MutexLock lock(&mutex);
    why = cancelled ? absl::CancelledError("the stream was given up") : refused;
  }
  Fail(why);
}

void SpawnStream::State::Fail(const absl::Status& why) {
  std::vector<SpawnResult> results;
  {
    const absl::MutexLock lock(&mutex);
    ledger.Abandon(why, [&](SpawnResult result) { results.push_back(std::move(result)); });
    status = why;
    failed = !why.ok();
  }
  Tell(std::move(results));
  const absl::MutexLock lock(&mutex);
  done = true;
}

absl::Status SpawnStream::State::Connect() {
  grpc::ClientContext here;
  stubs->Authorize(here);
  {
    const absl::MutexLock lock(&mutex);
    if (cancelled) return absl::CancelledError("");
    context = &here;
    broken = false;
    refused = absl::OkStatus();
  }
  const Stop::Call stoppable(options.stop, [&here] { here.TryCancel(); });
  const auto wire = stubs->tasks.SpawnTasks(&here);
  std::thread reader([&] { Read(*wire); });
  Write(*wire);
  reader.join();
  const grpc::Status ended = wire->Finish();
  if (!ended.error_details().empty()) stubs->heard.store(true);
  const absl::MutexLock lock(&mutex);
  context = nullptr;
  return refused.ok() ? FromGrpc(ended) : refused;
}

void SpawnStream::State::Write(Wire& wire) {
  for (;;) {
    const v1::SpawnTasksRequest* message = nullptr;
    {
      const absl::MutexLock lock(&mutex, absl::Condition(this, &State::CanSend));
      if (broken || cancelled) return;
      // All of it is sent, and there is no more.
      if (!ledger.HasUnsent()) break;
      message = &ledger.Send();
    }
    // Stays where it is while it has no answer, and it has none before it is written; once the
    // answer comes, gRPC has no more use for it.
    if (!wire.Write(*message)) return;
  }
  wire.WritesDone();
}

void SpawnStream::State::Read(Wire& wire) {
  v1::SpawnTasksResponse response;
  while (wire.Read(&response)) {
    stubs->heard.store(true);
    const absl::Status taken = Take(response);
    if (taken.ok()) {
      patience.Answered();
      continue;
    }
    const absl::MutexLock lock(&mutex);
    refused = taken;
    context->TryCancel();
    break;
  }
  while (wire.Read(&response)) {
  }
  const absl::MutexLock lock(&mutex);
  broken = true;
}

absl::Status SpawnStream::State::Take(v1::SpawnTasksResponse& response) {
  std::vector<SpawnResult> results;
  results.reserve(static_cast<size_t>(response.results_size()));
  absl::Status taken;
  {
    const absl::MutexLock lock(&mutex);
    taken =
        ledger.Take(response, [&](SpawnResult result) { results.push_back(std::move(result)); });
  }
  Tell(std::move(results));
  return taken;
}

void SpawnStream::State::Tell(std::vector<SpawnResult> results) const {
  if (on_result == nullptr) return;
  for (SpawnResult& result : results) on_result(std::move(result));
}

SpawnStream::SpawnStream(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

SpawnStream::~SpawnStream() {
  {
    const absl::MutexLock lock(&state_->mutex);
    state_->cancelled = !state_->done;
    if (state_->context != nullptr) state_->context->TryCancel();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

absl::Status SpawnStream::Add(v1::TaskSpec spec) {
  const absl::MutexLock lock(&state_->mutex, absl::Condition(state_.get(), &State::CanAdd));
  if (state_->failed) return state_->status;
  if (state_->closed) return absl::FailedPreconditionError("the stream was finished");
  state_->ledger.Add(std::move(spec));
  return absl::OkStatus();
}

bool SpawnStream::HasRoom() const {
  const absl::MutexLock lock(&state_->mutex);
  return state_->CanAdd();
}

absl::Status SpawnStream::Finish() {
  const absl::MutexLock lock(&state_->mutex);
  state_->closed = true;
  state_->mutex.Await(absl::Condition(&state_->done));
  return state_->status;
}

std::unique_ptr<SpawnStream> Client::OpenSpawnStream(const SpawnStreamOptions& options,
                                                     SpawnStream::OnResult on_result) {
  return std::unique_ptr<SpawnStream>(
      new SpawnStream(std::make_unique<SpawnStream::State>(stubs_, options, std::move(on_result))));
}

}  // namespace grove::client
