// OperationCalls: what OperationService's methods do on the hub.
//
// What is asked for is the supervisor's to do: requests go to it over the command channel, and its
// reply ends the call. Reads are answered from the mirror. Where the supervisor says nothing, calls
// end with UNAVAILABLE and a text. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_OPERATION_CALLS_H_
#define GROVE_SERVER_CONTROL_OPERATION_CALLS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/internal/v1/supervision.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "server/control/call.h"
#include "server/control/operation_mirror.h"

namespace grove::control {

// Until the supervisor, which is never busy for long, has answered; also for it to say at control's
// start which operations there are.
inline constexpr absl::Duration kSupervisorPatience = absl::Seconds(10);

class OperationCalls {
 public:
  // Hands a request over; an error: there is no supervisor to be reached. Must not park.
  using Sender = absl::AnyInvocable<absl::Status(const internal::v1::OperationRequest& request)>;

  explicit OperationCalls(Sender sender) : sender_(std::move(sender)) {}
  OperationCalls(const OperationCalls&) = delete;
  OperationCalls& operator=(const OperationCalls&) = delete;

  // --- What the supervisor says -----------------------------------------------------------------

  void TakeReply(internal::v1::OperationReply reply);
  void TakeOperations(const internal::v1::OperationsChanged& changed) { mirror_.Take(changed); }
  // It says nothing any more.
  void ChannelEnded();

  // --- Calls: each answers on a fiber of its own ------------------------------------------------

  // `request` is one that begins an operation.
  void Begin(const CallPtr& call, internal::v1::OperationRequest request, v1::Operation& response);
  void Get(const CallPtr& call, const v1::GetOperationRequest& request, v1::Operation& response);
  void List(const CallPtr& call, const v1::ListOperationsRequest& request,
            v1::ListOperationsResponse& response);
  void GetConfig(const CallPtr& call, const v1::GetConfigRequest& request,
                 v1::GetConfigResponse& response);
  void DiffConfig(const CallPtr& call, const v1::DiffConfigRequest& request,
                  v1::DiffConfigResponse& response);

  // The one named, once the supervisor has said which there are; errors as the mirror's, or
  // UNAVAILABLE. **Parks.**
  absl::StatusOr<v1::Operation> Find(const std::string& name);
  // All of the config in force, as the supervisor has it. **Parks.**
  absl::StatusOr<v1::GetConfigResponse> Config();
  OperationMirror& mirror() { return mirror_; }

 private:
  using Reply = internal::v1::OperationReply;
  struct Asked {
    Event done;
    std::optional<Reply> reply;  // none: it will not come
  };

  // Asks, and ends the call with what `answer` of the reply is.
  template <typename Response>
  void Forward(const CallPtr& call, internal::v1::OperationRequest request,
               bool (Reply::*has)() const, Response* (Reply::*answer)(), Response& response);
  absl::StatusOr<Reply> Ask(internal::v1::OperationRequest request);
  absl::Status AwaitMirror();

  Sender sender_;
  OperationMirror mirror_;
  bool ended_ = false;
  uint64_t next_id_ = 1;
  std::map<uint64_t, std::shared_ptr<Asked>> asked_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_OPERATION_CALLS_H_
