#include "client/rpc/call.h"

#include <algorithm>
#include <chrono>

#include "client/status_details.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::rpc {
namespace {

// Between gRPC's timers (which are rounded to milliseconds) and the hub's.
constexpr absl::Duration kTimersApart = absl::Milliseconds(100);

}  // namespace

absl::Status ToAbslStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status whole;
  // The message beside it is the same, unless the details are of a server that has its own idea.
  if (status.error_details().empty() || !whole.ParseFromString(status.error_details())) {
    whole.Clear();
  }
  whole.set_code(static_cast<int>(status.error_code()));
  whole.set_message(status.error_message());
  return client::ToAbslStatus(whole);
}

CallScope::~CallScope() {
  if (entered_) Abandon();
}

absl::Status CallScope::Enter(const CallOptions& options, bool until_fibers_deadline) {
  if (absl::Status status = CheckMetadata(options.metadata); !status.ok()) return status;
  Hub& hub = Hub::CurrentOrDie();
  if (const Wake wake = hub.interruption(); wake != Wake::kReady) return WakeStatus(wake, what_);
  Channel::Stats& stats = channel_.stats_;
  if (!channel_.room_.TryAcquire()) {
    if (channel_.room_.waiting() >= channel_.options_.waiting_max) {
      ++stats.refused;
      return absl::ResourceExhaustedError(StrCat(what_, ": ", channel_.options_.calls_max,
                                                 " calls to ", channel_.address(), " are open and ",
                                                 channel_.options_.waiting_max, " wait"));
    }
    if (absl::Status room = channel_.room_.Acquire(); !room.ok()) return room;
  }
  entered_ = true;
  ++stats.open;
  ++stats.started;
  for (const Metadata* metadata : {&channel_.options_.metadata, &options.metadata}) {
    for (const auto& [key, value] : *metadata) context_.AddMetadata(key, value);
  }
  context_.set_wait_for_ready(options.wait_for_ready);
  if (until_fibers_deadline) deadline_ = Timeout::Nearest();
  absl::Duration left = options.timeout;
  if (deadline_ != kNever) {
    left = std::min(left, absl::Nanoseconds(deadline_ - hub.ReadClock()));
  }
  if (left != absl::InfiniteDuration()) {
    context_.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(left));
  }
  return absl::OkStatus();
}

absl::Status CallScope::Await(Operation& operation) {
  const Wake wake = operation.Await();
  return wake == Wake::kReady ? absl::OkStatus() : WakeStatus(wake, what_);
}

absl::Status CallScope::Finish(Operation& operation, const grpc::Status& status) {
  absl::Status waited = Await(operation);
  if (!waited.ok()) {
    // gRPC writes into this fiber's memory until it has let go of the call.
    context_.TryCancel();
    operation.AwaitShielded();
    if (status.error_code() == grpc::StatusCode::CANCELLED) {
      Abandon();
      return waited;
    }
  }
  absl::Status ended = End(status);
  return absl::IsDeadlineExceeded(ended) ? AwaitOwnTimeout(std::move(ended)) : ended;
}

absl::Status CallScope::AwaitOwnTimeout(absl::Status status) {
  Hub& hub = Hub::CurrentOrDie();
  if (deadline_ == kNever || deadline_ - hub.ReadClock() > ToInt64Nanoseconds(kTimersApart)) {
    return status;
  }
  const absl::Status slept = Sleep(kTimersApart);
  return slept.ok() ? status : slept;
}

absl::Status CallScope::End(const grpc::Status& status) {
  Channel::Stats& stats = channel_.stats_;
  ++(status.ok() ? stats.succeeded : stats.failed);
  Leave();
  return ToAbslStatus(status);
}

void CallScope::Abandon() {
  if (!entered_) return;
  context_.TryCancel();
  ++channel_.stats_.abandoned;
  Leave();
}

void CallScope::Leave() {
  entered_ = false;
  --channel_.stats_.open;
  channel_.room_.Release();
}

}  // namespace grove::client::rpc
