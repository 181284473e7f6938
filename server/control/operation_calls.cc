#include "server/control/operation_calls.h"

#include <string_view>
#include <utility>

#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/answer.h"
#include "server/refusal.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using internal::v1::OperationReply;
using internal::v1::OperationRequest;

constexpr char kFiberName[] = "operation-call";

absl::Status SupervisorGone() {
  return tasks::Refusal(
      absl::StatusCode::kUnavailable, "SUPERVISOR_GONE",
      "control has no channel to the supervisor any more; signals still reach it, and a restart of "
      "grove-control (kill it) makes the channel anew");
}

absl::Status SupervisorSilent(std::string_view consequence) {
  return tasks::WithRetryAfter(
      tasks::Refusal(absl::StatusCode::kUnavailable, "SUPERVISOR_SILENT",
                     StrCat("the supervisor has not answered within ",
                            absl::FormatDuration(kSupervisorPatience), "; ", consequence)),
      absl::ToInt64Milliseconds(kSupervisorPatience));
}

absl::Status NoSuchAnswer() {
  return tasks::Refusal(absl::StatusCode::kInternal, "SUPERVISOR_OF_ANOTHER_BUILD",
                        "the supervisor answers something else: it is of another build");
}

}  // namespace

void OperationCalls::TakeReply(OperationReply reply) {
  const auto found = asked_.find(reply.id());
  // The call has been given up.
  if (found == asked_.end()) return;
  if (reply.has_operation()) mirror_.Take(reply.operation());
  found->second->reply = std::move(reply);
  found->second->done.Set();
  asked_.erase(found);
}

void OperationCalls::ChannelEnded() {
  ended_ = true;
  for (auto& [id, asked] : asked_) asked->done.Set();
  asked_.clear();
}

absl::StatusOr<OperationReply> OperationCalls::Ask(OperationRequest request) {
  if (ended_) return SupervisorGone();
  request.set_id(next_id_++);
  if (absl::Status sent = sender_(request); !sent.ok()) {
    return absl::IsUnavailable(sent) ? SupervisorGone() : sent;
  }
  const auto asked = std::make_shared<Asked>();
  asked_[request.id()] = asked;
  Timeout timeout(kSupervisorPatience);
  const absl::Status waited = asked->done.Wait();
  asked_.erase(request.id());
  if (absl::IsDeadlineExceeded(waited)) {
    return SupervisorSilent("what was asked for may still be done: see `grovectl operations`");
  }
  if (!waited.ok()) return waited;
  if (!asked->reply) return SupervisorGone();
  if (asked->reply->has_error()) return StatusFrom(asked->reply->error());
  return *std::move(asked->reply);
}

template <typename Response>
void OperationCalls::Forward(const CallPtr& call, OperationRequest request,
                             bool (Reply::*has)() const, Response* (Reply::*answer)(),
                             Response& response) {
  request.set_requested_by(std::string(call->requested_by()));
  Answer(kFiberName, call, response,
         [this, has, answer, request = std::move(request)]() mutable -> absl::StatusOr<Response> {
           absl::StatusOr<Reply> reply = Ask(std::move(request));
           if (!reply.ok()) return reply.status();
           if (!((*reply).*has)()) return NoSuchAnswer();
           return std::move(*((*reply).*answer)());
         });
}

void OperationCalls::Begin(const CallPtr& call, OperationRequest request, v1::Operation& response) {
  Forward(call, std::move(request), &Reply::has_operation, &Reply::mutable_operation, response);
}

void OperationCalls::GetConfig(const CallPtr& call, const v1::GetConfigRequest& request,
                               v1::GetConfigResponse& response) {
  OperationRequest asked;
  *asked.mutable_get_config() = request;
  Forward(call, std::move(asked), &Reply::has_config, &Reply::mutable_config, response);
}

absl::StatusOr<v1::GetConfigResponse> OperationCalls::Config() {
  OperationRequest request;
  request.mutable_get_config()->set_defaults(true);
  absl::StatusOr<Reply> reply = Ask(std::move(request));
  if (!reply.ok()) return reply.status();
  if (!reply->has_config()) return NoSuchAnswer();
  return std::move(*reply->mutable_config());
}

void OperationCalls::DiffConfig(const CallPtr& call, const v1::DiffConfigRequest& request,
                                v1::DiffConfigResponse& response) {
  OperationRequest asked;
  *asked.mutable_diff_config() = request;
  Forward(call, std::move(asked), &Reply::has_diff, &Reply::mutable_diff, response);
}

absl::Status OperationCalls::AwaitMirror() {
  if (ended_ && !mirror_.knows_all()) return SupervisorGone();
  Timeout timeout(kSupervisorPatience);
  absl::Status all = mirror_.AwaitAll();
  if (!absl::IsDeadlineExceeded(all)) return all;
  return ended_ ? SupervisorGone() : SupervisorSilent("which operations there are is not known");
}

absl::StatusOr<v1::Operation> OperationCalls::Find(const std::string& name) {
  if (absl::Status known = AwaitMirror(); !known.ok()) return known;
  absl::StatusOr<const v1::Operation*> found = mirror_.Find(name);
  if (!found.ok()) return found.status();
  return **found;
}

void OperationCalls::Get(const CallPtr& call, const v1::GetOperationRequest& request,
                         v1::Operation& response) {
  Answer(kFiberName, call, response, [this, name = request.name()] { return Find(name); });
}

void OperationCalls::List(const CallPtr& call, const v1::ListOperationsRequest& request,
                          v1::ListOperationsResponse& response) {
  Answer(kFiberName, call, response,
         [this, request]() -> absl::StatusOr<v1::ListOperationsResponse> {
           if (absl::Status known = AwaitMirror(); !known.ok()) return known;
           v1::ListOperationsResponse listed;
           if (absl::Status status = mirror_.List(request, listed); !status.ok()) return status;
           return listed;
         });
}

}  // namespace grove::control
