// What the supervisor and its children say to each other over their command channels.
#include <string>
#include <utility>

#include "server/log.h"
#include "server/process/log_setup.h"
#include "server/refusal.h"
#include "server/supervisor/operation_requests.h"
#include "server/supervisor/supervisor.h"
#include "server/wall_time.h"

namespace grove::supervisor {
namespace {

// For a child to take over a log level: one that is stuck for longer has other troubles.
constexpr absl::Duration kLevelPatience = absl::Seconds(10);

}  // namespace

void Supervisor::TakeMessages(int child) {
  process::CommandChannel& channel = children_[child].channel;
  channel.Flush();
  for (const internal::v1::ChildMessage& message : channel.Read()) TakeMessage(child, message);
}

void Supervisor::TakeMessage(int child, const internal::v1::ChildMessage& message) {
  if (message.has_request() && child == kControl) return TakeRequest(message.request());
  if (message.has_config_applied()) return TakeConfigApplied(child, message.config_applied());
  if (!message.has_log_level_set()) return;
  int64_t& asked = children_[child].level_asked;
  if (asked == static_cast<int64_t>(message.log_level_set().id())) asked = 0;
}

// --- Operations

void Supervisor::TakeRequest(const internal::v1::OperationRequest& request) {
  const MonotonicNanos now = Clock::Monotonic().Now();
  internal::v1::SupervisorMessage message;
  internal::v1::OperationReply& reply = *message.mutable_reply();
  reply.set_id(request.id());
  if (request.has_get_config()) {
    *reply.mutable_config() = DescribeConfig(request.get_config());
    children_[kControl].channel.Send(message);
    return;
  }
  if (request.has_diff_config()) {
    absl::StatusOr<v1::DiffConfigResponse> diff = DiffConfig(request.diff_config());
    if (diff.ok()) {
      *reply.mutable_diff() = *std::move(diff);
    } else {
      *reply.mutable_error() = DescribeStatus(diff.status());
    }
    children_[kControl].channel.Send(message);
    return;
  }
  absl::StatusOr<OperationSpec> spec = SpecOf(request);
  const absl::StatusOr<int64_t> number = spec.ok() ? Ask(*std::move(spec), now) : spec.status();
  if (number.ok()) {
    // As far as it is at once: what needs no time has ended in this reply.
    PassTime(now);
    const Operation* operation = state_.operations.Find(*number);
    *reply.mutable_operation() = DescribeOperation(*operation, now, WallNow());
  } else {
    *reply.mutable_error() = DescribeStatus(number.status());
  }
  children_[kControl].channel.Send(message);
}

void Supervisor::TellControl(const std::vector<OperationChange>& changes) {
  if (changes.empty() || !children_[kControl].channel.open()) return;
  const MonotonicNanos now = Clock::Monotonic().Now();
  internal::v1::SupervisorMessage message;
  for (const OperationChange& change : changes) {
    const Operation* operation = state_.operations.Find(change.number);
    if (operation == nullptr) continue;
    *message.mutable_operations()->add_operations() = DescribeOperation(*operation, now, WallNow());
  }
  children_[kControl].channel.Send(message);
}

void Supervisor::TellControlAll() {
  const MonotonicNanos now = Clock::Monotonic().Now();
  internal::v1::SupervisorMessage message;
  message.mutable_operations();
  for (const Operation& operation : state_.operations.all()) {
    *message.mutable_operations()->add_operations() = DescribeOperation(operation, now, WallNow());
  }
  children_[kControl].channel.Send(message);
}

// --- The log level

void Supervisor::SetLevel(int64_t number, MonotonicNanos now) {
  // Who sets another one meanwhile need not know what became of the first.
  if (Operation* before = state_.operations.Find(level_.operation); before != nullptr) {
    state_.operations.Supersede(*before, absl::StrCat("operation ", number, " took its place"),
                                now);
  }
  level_ = {.level = state_.operations.Find(number)->spec.level,
            .operation = number,
            .until = DeadlineAfter(now, kLevelPatience)};
  SetLogLevel(process::LogLevelOf(LevelInForce()));
  for (int child = 0; child < kChildren; ++child) SendLevel(child, number);
}

const std::string& Supervisor::LevelInForce() const {
  return level_.level.empty() ? config_.config.log().level() : level_.level;
}

void Supervisor::SendLevel(int child, int64_t operation) {
  internal::v1::SupervisorMessage message;
  message.mutable_set_log_level()->set_id(static_cast<uint64_t>(operation));
  message.mutable_set_log_level()->set_level(LevelInForce());
  const bool sent = children_[child].channel.Send(message);
  children_[child].level_asked = sent ? operation : 0;
}

void Supervisor::FollowLevel(MonotonicNanos now) {
  Operation* operation = state_.operations.Find(level_.operation);
  if (operation == nullptr || operation->HasEnded()) return;
  std::string silent;
  int asked = 0;
  int done = 0;
  for (int child = 0; child < kChildren; ++child) {
    if (!children_[child].channel.open()) continue;
    ++asked;
    if (children_[child].level_asked == 0) {
      ++done;
    } else {
      absl::StrAppend(&silent, silent.empty() ? "" : ", ", ChildName(child));
    }
  }
  const std::string message = absl::StrCat("log level ", LevelInForce());
  if (silent.empty()) {
    state_.operations.Succeed(*operation, message, now);
  } else if (now < level_.until) {
    return state_.operations.Progress(*operation, done, asked, message);
  } else {
    state_.operations.Fail(
        *operation, absl::DeadlineExceededError(absl::StrCat("no answer from ", silent)),
        absl::StrCat(message, "; they take it over when they answer again"), now);
  }
  level_.operation = 0;
}

}  // namespace grove::supervisor
