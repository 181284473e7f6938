#include "database/redis/pipeline.h"

#include <algorithm>
#include <random>
#include <utility>

#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove::redis {
namespace {

// Of one write; what is larger goes by itself.
constexpr size_t kBatchBytesMax = size_t{256} << 10;

absl::Status Closed() {
  return absl::AbortedError("redis: the client is closed");
}

}  // namespace

Pipeline::Pipeline(const PipelineOptions& options, std::shared_ptr<Dialer> dialer)
    : options_(options),
      dialer_(std::move(dialer)),
      places_(options.depth_max),
      backoff_(options.reconnect),
      random_(SeededRandom(std::random_device()())) {
  places_.ForgetHolders();  // whoever reads a reply gives the place back
}

absl::StatusOr<Pipeline::Replies> Pipeline::Run(std::span<const Command> commands) {
  size_t bytes = 0;
  for (const Command& command : commands) bytes += command.bytes();
  if (bytes > options_.request_bytes_max) {
    return absl::InvalidArgumentError(StrCat("redis: a request of ", bytes, " bytes; at most ",
                                             options_.request_bytes_max, " are sent"));
  }
  // Its memory is this fiber's, and the line may outlive the client.
  const std::shared_ptr<Pipeline> self = shared_from_this();
  if (absl::Status room = places_.Acquire(); !room.ok()) return room;
  Request request(commands, Hub::Current()->running());
  request.replies.reserve(commands.size());
  if (absl::Status queued = Enqueue(request); !queued.ok()) {
    places_.Release();
    return queued;
  }
  const Wake wake = Hub::Current()->Park({.kind = WaitFor::Kind::kEvent, .object = &work_});
  if (!request.done) {
    Leave(request);
    return WakeStatus(wake, StrCat("waiting for Redis at ", dialer_->place()));
  }
  if (!request.failure.ok()) return request.failure;
  return std::move(request.replies);
}

absl::Status Pipeline::Enqueue(Request& request) {
  if (closed_) return Closed();
  if (!driver_) {
    if (Hub::Current()->ReadClock() < next_try_) return refusal_;
    if (absl::Status started = StartDriver(); !started.ok()) return started;
  }
  request.number = first_number_ + line_.size();
  line_.push_back({&request, request.commands.size()});
  stats_.commands += request.commands.size();
  work_.Set();
  return absl::OkStatus();
}

absl::Status Pipeline::StartDriver() {
  absl::StatusOr<FiberHandle> driver =
      Spawn("redis-writer", [self = shared_from_this()] { self->Drive(); });
  if (!driver.ok()) return driver.status();
  driver_ = *std::move(driver);
  // One that was cancelled before it began runs no body.
  driver_.Link([self = shared_from_this()](const Fiber&, const absl::Status&) {
    self->driver_ = FiberHandle();
    self->FailAll(self->closed_ ? Closed() : absl::AbortedError("redis: the hub is ending"));
  });
  return absl::OkStatus();
}

void Pipeline::Leave(const Request& request) {
  const size_t at = request.number - first_number_;
  line_[at].request = nullptr;
  if (at < sent_) return;
  line_[at].replies_wanted = 0;  // it is never sent
  ++stats_.unsent;
}

void Pipeline::Finish(Request& request) {
  request.done = true;
  Hub::Current()->Unpark(*request.fiber);
}

// --- The writing fiber

void Pipeline::Drive() {
  while (!closed_) {
    absl::StatusOr<std::unique_ptr<Wire>> wire = dialer_->Dial();
    if (!wire.ok()) {
      if (closed_ || Hub::Current()->interruption() != Wake::kReady) return;
      refusal_ = wire.status();
      next_try_ = DeadlineAfter(Hub::Current()->ReadClock(), backoff_.Next(random_()));
      return FailAll(refusal_);
    }
    backoff_.Reset();
    wire_ = *std::move(wire);
    broken_ = absl::OkStatus();
    absl::StatusOr<FiberHandle> reader = Spawn("redis-reader", [this] { ReadUntilBroken(); });
    if (!reader.ok()) {
      wire_.reset();
      return FailAll(reader.status());
    }
    WriteUntilBroken();
    wire_->Abort();
    if (Hub::Current()->interruption() != Wake::kReady) reader->Cancel();
    reader->AwaitEnd();
    watch_.Cancel();
    wire_.reset();
    ++stats_.breaks;
    SettleSent(broken_);
    if (line_.empty() || Hub::Current()->interruption() != Wake::kReady) return;
  }
}

void Pipeline::WriteUntilBroken() {
  while (broken_.ok()) {
    const std::string batch = Batch();
    if (batch.empty()) {
      work_.Reset();
      if (absl::Status waited = work_.Wait(); !waited.ok()) broken_ = waited;
      continue;
    }
    ++stats_.writes;
    if (!watch_.pending()) WatchReplies(options_.reply_timeout);
    absl::Status sent = wire_->Write(batch);
    if (!sent.ok() && broken_.ok()) broken_ = sent;
  }
}

std::string Pipeline::Batch() {
  std::string batch;
  if (sent_ == 0) progress_at_ = Hub::Current()->now();
  while (sent_ < line_.size() && batch.size() < kBatchBytesMax) {
    const Slot& slot = line_[sent_++];
    if (slot.request == nullptr) continue;
    for (const Command& command : slot.request->commands) command.AppendTo(batch);
  }
  // Those who have left, and whom nothing stands before, leave no place behind.
  if (batch.empty()) PopAnswered();
  return batch;
}

void Pipeline::WatchReplies(absl::Duration after) {
  if (after == absl::InfiniteDuration()) return;
  watch_ = ScheduleCall(after, [this] {
    if (sent_ == 0 || wire_ == nullptr || !broken_.ok()) return;
    const MonotonicNanos due = DeadlineAfter(progress_at_, options_.reply_timeout);
    const MonotonicNanos now = Hub::Current()->now();
    if (now < due) return WatchReplies(absl::Nanoseconds(due - now));
    broken_ = absl::UnavailableError(
        StrCat("redis: no reply for ", absl::FormatDuration(options_.reply_timeout), "; given up"));
    wire_->Abort();
    work_.Set();
  });
}

// --- The reading fiber

void Pipeline::ReadUntilBroken() {
  while (broken_.ok()) {
    absl::StatusOr<Value> value = wire_->Next();
    absl::Status taken = value.ok() ? Take(*std::move(value)) : value.status();
    if (!taken.ok() && broken_.ok()) broken_ = taken;
  }
  wire_->Abort();  // the writer may wait for a peer that takes nothing
  work_.Set();
}

absl::Status Pipeline::Take(Value value) {
  // Of client-side caching, or of the server's own: nobody has asked for it.
  if (value.kind() == Value::Kind::kPush) return absl::OkStatus();
  PopAnswered();
  if (sent_ == 0) return absl::UnavailableError("redis: a reply that nobody has asked for");
  progress_at_ = Hub::Current()->now();
  Slot& slot = line_.front();
  ++stats_.replies;
  if (value.error()) ++stats_.error_replies;
  if (slot.request == nullptr) {
    ++stats_.dropped;
  } else {
    slot.request->replies.push_back(std::move(value));
  }
  if (--slot.replies_wanted == 0) PopAnswered();
  return absl::OkStatus();
}

void Pipeline::PopAnswered() {
  while (sent_ > 0 && line_.front().replies_wanted == 0) {
    if (Request* request = line_.front().request) Finish(*request);
    line_.pop_front();
    ++first_number_;
    --sent_;
    places_.Release();
  }
}

// --- When a connection has ended

void Pipeline::SettleSent(const absl::Status& why) {
  std::deque<Slot> left;
  for (size_t at = 0; at < line_.size(); ++at) {
    const Slot& slot = line_[at];
    Request* const request = slot.request;
    if (request == nullptr) {
      places_.Release();
      continue;
    }
    if (at >= sent_) {
      left.push_back(slot);
      continue;
    }
    ++stats_.lost;
    const bool repeat = !request->repeated && !closed_ &&
                        std::all_of(request->commands.begin(), request->commands.end(),
                                    [](const Command& each) { return each.may_repeat(); });
    if (repeat) {
      request->repeated = true;
      request->replies.clear();
      ++stats_.repeated;
      left.push_back({request, request->commands.size()});
      continue;
    }
    const std::string text =
        StrCat("redis: the connection to ", dialer_->place(),
               " ended before the reply; it may have been done: ", Std(why.message()));
    // A reply that is too large is no fault of the network.
    request->failure = closed_                          ? Closed()
                       : absl::IsResourceExhausted(why) ? why
                                                        : absl::UnavailableError(text);
    places_.Release();
    Finish(*request);
  }
  line_ = std::move(left);
  sent_ = 0;
  first_number_ = 0;
  for (size_t at = 0; at < line_.size(); ++at) line_[at].request->number = at;
}

void Pipeline::FailAll(const absl::Status& why) {
  for (const Slot& slot : std::exchange(line_, {})) {
    places_.Release();
    if (slot.request == nullptr) continue;
    slot.request->failure = why;
    Finish(*slot.request);
  }
  sent_ = 0;
  first_number_ = 0;
}

void Pipeline::Close() {
  closed_ = true;
  if (driver_) driver_.Cancel();
}

void Pipeline::AwaitEnd() {
  if (FiberHandle driver = driver_) driver.AwaitEnd();
}

PipelineStats Pipeline::stats() const {
  PipelineStats stats = stats_;
  stats.in_flight = sent_;
  stats.queued = line_.size() - sent_;
  stats.waiting = places_.waiting();
  return stats;
}

}  // namespace grove::redis
