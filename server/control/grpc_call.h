// UnaryCall: a unary RPC of gRPC's callback API, handed to the hub and back.
//
// gRPC's threads check the token, parse the request and post the call; the hub handles and finishes
// it. Kept alive by gRPC until OnDone, and by whatever was posted.
#ifndef GROVE_SERVER_CONTROL_GRPC_CALL_H_
#define GROVE_SERVER_CONTROL_GRPC_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/time/clock.h"
#include "grove/v1/operation_service.pb.h"
#include "runtime/hub/hub.h"
#include "server/control/authorizer.h"
#include "server/control/call.h"
#include "server/control/raw_service.h"
#include "server/control/refused_tokens.h"
#include "server/control/rpc_tally.h"

namespace grove::control {

// What every service needs of control.
struct GrpcContext {
  Hub& hub;
  const Authorizer& authorizer;
  RefusedTokens& refused;
  RpcTally& tally;
};

grpc::Status ToGrpcStatus(const absl::Status& status);

// For the audit log; empty of methods that are not audited.
struct Caller {
  std::string name;  // "token ci", or "local" where none is needed
  std::string peer;  // its address
};

// Checks the call's token against `method`.
absl::StatusOr<Caller> AuthorizeCall(const Authorizer& authorizer, const MethodRow& method,
                                     const grpc::CallbackServerContext& context);

// For a call that goes no further: `finish` gets the answer, at once or, where the token is to
// blame, when it has been delayed.
void Reject(const GrpcContext& grpc, const grpc::CallbackServerContext& context,
            const absl::Status& status, std::function<void(const grpc::Status&)> finish);

struct AuditedCall {
  std::string resource;
  std::string asked;      // the rest of the request, as text
  std::string operation;  // the one that it began
};

// One line: who called what on which resource, and how it went.
void Audit(const Authorizer& authorizer, const MethodRow& method, const Caller& caller,
           const AuditedCall& call, const absl::Status& status);

absl::Time DeadlineOf(const grpc::CallbackServerContext& context);

template <typename Request, typename Response>
class UnaryCall final : public grpc::ServerUnaryReactor, public Call {
 public:
  // Finishes the call, now or later. Runs on the hub.
  using Body = absl::AnyInvocable<void(const CallPtr&, const Request&, Response&)>;

  static grpc::ServerUnaryReactor* Start(const GrpcContext& grpc, Method method,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response, Body body) {
    auto* call = new UnaryCall(grpc, RowOf(method), context, response);
    call->self_.reset(call);
    if (absl::Status status = call->Receive(*request); !status.ok()) {
      call->finished_ = true;
      call->Tally(status);
      Reject(grpc, *context, status, [call](const grpc::Status& answer) {
        call->grpc::ServerUnaryReactor::Finish(answer);
      });
      return call;
    }
    grpc.hub.Post([self = call->self_, body = std::move(body)]() mutable {
      if (!self->finished_) body(self, self->request_, self->response_);
    });
    return call;
  }

  void Finish(const absl::Status& status) override {
    if (finished_.exchange(true)) return;
    on_cancel_ = nullptr;
    if (method_.mutating) Audit(grpc_.authorizer, method_, caller_, Audited(status), status);
    const absl::Status sent = status.ok() ? SerializeMessage(response_, *answer_) : status;
    Tally(sent);
    grpc::ServerUnaryReactor::Finish(ToGrpcStatus(sent));
  }
  bool finished() const override { return finished_; }
  absl::Time deadline() const override { return DeadlineOf(*context_); }
  std::string_view requested_by() const override { return caller_.name; }

 private:
  UnaryCall(const GrpcContext& grpc, const MethodRow& method, grpc::CallbackServerContext* context,
            grpc::ByteBuffer* answer)
      : grpc_(grpc), method_(method), context_(context), answer_(answer) {}

  absl::Status Receive(const grpc::ByteBuffer& request) {
    absl::StatusOr<Caller> caller = AuthorizeCall(grpc_.authorizer, method_, *context_);
    if (!caller.ok()) return caller.status();
    caller_ = *std::move(caller);
    absl::Status parsed = ParseMessage(request, request_);
    if (!parsed.ok() && method_.mutating) Audit(grpc_.authorizer, method_, caller_, {}, parsed);
    return parsed;
  }

  void Tally(const absl::Status& status) {
    grpc_.tally.Count(method_, status.code(), absl::Now() - began_);
  }

  AuditedCall Audited(const absl::Status& status) const {
    AuditedCall call;
    if constexpr (
        requires { request_.spec(); } || requires { request_.specs(); }) {
      // Inputs are large, or secret.
      call.resource = request_.parent();
    } else if constexpr (requires { request_.name(); }) {
      call.resource = request_.name();
      Request rest = request_;
      rest.clear_name();
      call.asked = rest.ShortDebugString();
    } else {
      call.asked = request_.ShortDebugString();
    }
    if constexpr (std::is_same_v<Response, v1::Operation>) {
      if (status.ok()) call.operation = response_.name();
    }
    return call;
  }

  void OnCancel() override {
    grpc_.hub.Post([self = self_] {
      if (self->finished_) return;
      if (auto undo = std::exchange(self->on_cancel_, nullptr)) undo();
      self->Finish(absl::CancelledError("the client went away"));
    });
  }
  void OnDone() override { self_.reset(); }

  const GrpcContext grpc_;
  const MethodRow& method_;
  const absl::Time began_ = absl::Now();
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const answer_;
  Request request_;
  Response response_;
  Caller caller_;
  std::atomic<bool> finished_{false};
  std::shared_ptr<UnaryCall> self_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_GRPC_CALL_H_
