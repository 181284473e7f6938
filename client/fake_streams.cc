#include "client/fake_streams.h"

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "client/fake_error.h"

namespace grove::client {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(1);

const char* Broken() {
  return "Socket closed";
}

google::rpc::Status WithRetry(google::rpc::Status error) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(1'000'000);
  error.add_details()->PackFrom(retry);
  return error;
}

}  // namespace

void FakeStreams::BreakSpawns(int streams, int messages) {
  const std::lock_guard<std::mutex> lock(mutex_);
  breaks_ = streams;
  break_after_ = messages;
}

void FakeStreams::DrainSpawns(int streams) {
  const std::lock_guard<std::mutex> lock(mutex_);
  drains_ = streams;
}

void FakeStreams::HoldSpawns() {
  const std::lock_guard<std::mutex> lock(mutex_);
  held_ = true;
}

void FakeStreams::LetGo() {
  const std::lock_guard<std::mutex> lock(mutex_);
  held_ = false;
  released_.notify_all();
}

void FakeStreams::BreakWatches(int count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  watch_breaks_ = count;
}

void FakeStreams::BeBusy(int count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  busy_ = count;
}

int FakeStreams::messages() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return messages_;
}

std::vector<std::string> FakeStreams::resume_tokens() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return tokens_;
}

bool FakeStreams::IsBusy() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return busy_ > 0 && busy_-- > 0;
}

google::rpc::Status FakeStreams::Busy() {
  return WithRetry(FakeError(grpc::RESOURCE_EXHAUSTED, "the queue is full", "QUEUE_FULL"));
}

bool FakeStreams::Drains() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return drains_ > 0 && drains_-- > 0;
}

grpc::Status FakeStreams::Spawn(Spawns& stream, const Admit& admit) {
  int taken = 0;
  for (v1::SpawnTasksRequest request; stream.Read(&request);) {
    v1::SpawnTasksResponse response;
    response.set_sequence(request.sequence());
    if (Drains()) {
      *response.mutable_error() =
          WithRetry(FakeError(grpc::UNAVAILABLE, "the daemon is draining", "DRAINING"));
      stream.Write(response);
      continue;
    }
    for (const v1::TaskSpec& spec : request.specs()) {
      admit(request.parent(), spec, *response.add_results());
    }
    {
      std::unique_lock<std::mutex> lock(mutex_);
      ++messages_;
      if (breaks_ > 0 && ++taken == break_after_) {
        --breaks_;
        return grpc::Status(grpc::UNAVAILABLE, Broken());
      }
      released_.wait(lock, [this] { return !held_; });
    }
    stream.Write(response);
  }
  return grpc::Status::OK;
}

grpc::Status FakeStreams::Watch(grpc::ServerContext& context, const v1::WatchTasksRequest& request,
                                const std::vector<v1::Task>& tasks,
                                grpc::ServerWriter<v1::WatchTasksResponse>& stream) {
  v1::WatchTasksResponse response;
  bool breaks = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tokens_.push_back(request.resume_token());
    response.set_resume_token(absl::StrCat("watch-", tokens_.size()));
    breaks = watch_breaks_ > 0 && watch_breaks_-- > 0;
  }
  const bool resumed = !request.resume_token().empty();
  for (const v1::Task& task : tasks) {
    auto& event = *response.add_events();
    *(resumed ? event.mutable_changed() : event.mutable_existing()) = task;
  }
  if (!resumed) response.add_events()->mutable_synced();
  stream.Write(response);
  if (breaks) return grpc::Status(grpc::UNAVAILABLE, Broken());
  AwaitEnd(context);
  return grpc::Status::OK;
}

void FakeStreams::AwaitEnd(const grpc::ServerContext& context) {
  absl::Notification never;
  while (!context.IsCancelled()) never.WaitForNotificationWithTimeout(kLook);
}

}  // namespace grove::client
