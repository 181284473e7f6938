#include "client/patience.h"

#include <algorithm>
#include <utility>

#include "client/retries.h"
#include "client/status_details.h"
#include "client/stubs.h"

namespace grove::client {
namespace {

// A wait asks anew this often, so that a connection that died without a sound is noticed.
constexpr absl::Duration kWaitSlice = absl::Seconds(60);

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kPauseMax = absl::Seconds(2);

// No words of the server: the way to it broke. What the server refuses carries an ErrorInfo; but
// for those with which a restart begins, or that a control says which has just begun.
bool IsOutage(const absl::Status& status) {
  const auto info = ErrorInfoOf(status);
  if (info) {
    return info->reason() == "DRAINING" || info->reason() == "CONTROL_ENDS" ||
           info->reason() == "SUPERVISOR_SILENT";
  }
  return absl::IsUnavailable(status) || absl::IsCancelled(status) ||
         absl::IsDeadlineExceeded(status);
}

absl::Status Stopped() {
  return absl::CancelledError("the wait was stopped");
}

}  // namespace

Patience::Patience(const WaitOptions& options, const std::atomic<bool>& heard,
                   grpc::Channel& channel)
    : options_(options), heard_(heard), channel_(channel), end_(Monotonic() + options.timeout) {}

bool Patience::over() const {
  return Monotonic() >= end_;
}

absl::Duration Patience::Slice() const {
  const absl::Duration slice = std::min(kWaitSlice, options_.look_interval);
  return std::clamp(end_ - Monotonic(), absl::Milliseconds(1), slice);
}

absl::Duration Patience::Left() const {
  return std::max(end_ - Monotonic(), absl::ZeroDuration());
}

void Patience::Answered() {
  false_connects_ = 0;
  if (!outage_start_) return;
  outage_start_.reset();
  if (std::exchange(was_told_, false) && options_.on_back) options_.on_back();
}

absl::Status Patience::Excuse(const absl::Status& failure) {
  if (options_.stop != nullptr && options_.stop->is_set()) return Stopped();
  if (!IsOutage(failure)) {
    Answered();
    return failure;
  }
  // Where it is one again and again, it is an outage as any other.
  const bool is_false = IsFalseConnectFailure(failure) && ++false_connects_ < kConnectTriesMax;
  if (!heard_.load() && !is_false) return failure;
  const absl::Duration now = Monotonic();
  if (!outage_start_) {
    outage_start_ = now;
    pause_ = kFirstPause;
  }
  if (!is_false && !was_told_) {
    was_out_ = true;
    was_told_ = true;
    if (options_.on_outage) options_.on_outage(failure);
  }
  const absl::Duration left = std::min(end_, *outage_start_ + options_.outage_max) - now;
  if (left <= absl::ZeroDuration()) return failure;
  if (is_false) {
    AwaitConnection(channel_, std::min(left, kConnectWait));
    return absl::OkStatus();
  }
  // Many that fell silent together do not come back together.
  const absl::Duration pause = pause_ * (0.5 + 0.5 * DrawPart());
  if (!PauseFor(options_.stop, std::min(pause, left))) return Stopped();
  pause_ = std::min(2 * pause_, kPauseMax);
  return absl::OkStatus();
}

}  // namespace grove::client
