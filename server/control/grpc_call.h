// UnaryCall: a unary RPC of gRPC's callback API, handed to the hub and back.
//
// gRPC's threads check the token and post the call; the hub handles and finishes it. Kept alive by
// gRPC until OnDone, and by whatever was posted.
#ifndef GROVE_SERVER_CONTROL_GRPC_CALL_H_
#define GROVE_SERVER_CONTROL_GRPC_CALL_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/hub/hub.h"
#include "server/control/authorizer.h"
#include "server/control/call.h"

namespace grove::control {

// What every service needs of control.
struct GrpcContext {
  Hub& hub;
  const Authorizer& authorizer;
};

grpc::Status ToGrpcStatus(const absl::Status& status);

// Checks the call's token against `method`. The caller's name for the audit log: the token's, else
// the peer's address; left empty for methods that are not audited.
absl::StatusOr<std::string> AuthorizeCall(const Authorizer& authorizer, const MethodRow& method,
                                          const grpc::CallbackServerContext& context);

// One line: who called what on which resource, and how it went.
void Audit(const Authorizer& authorizer, const MethodRow& method, std::string_view who,
           std::string_view resource, const absl::Status& status);

absl::Time DeadlineOf(const grpc::CallbackServerContext& context);

template <typename Request, typename Response>
class UnaryCall final : public grpc::ServerUnaryReactor, public Call {
 public:
  // Finishes the call, now or later. Runs on the hub.
  using Body = absl::AnyInvocable<void(const CallPtr&, const Request&, Response&)>;

  static grpc::ServerUnaryReactor* Start(const GrpcContext& grpc, Method method,
                                         grpc::CallbackServerContext* context,
                                         const Request* request, Response* response, Body body) {
    auto* call = new UnaryCall(grpc, RowOf(method), context, request, response);
    call->self_.reset(call);
    absl::StatusOr<std::string> who = AuthorizeCall(grpc.authorizer, call->method_, *context);
    if (!who.ok()) {
      call->finished_ = true;
      call->grpc::ServerUnaryReactor::Finish(ToGrpcStatus(who.status()));
      return call;
    }
    call->who_ = *std::move(who);
    grpc.hub.Post([self = call->self_, body = std::move(body)]() mutable {
      if (!self->finished_) body(self, *self->request_, *self->response_);
    });
    return call;
  }

  void Finish(const absl::Status& status) override {
    if (finished_.exchange(true)) return;
    on_cancel_ = nullptr;
    if (method_.mutating) Audit(grpc_.authorizer, method_, who_, Resource(), status);
    grpc::ServerUnaryReactor::Finish(ToGrpcStatus(status));
  }
  bool finished() const override { return finished_; }
  absl::Time deadline() const override { return DeadlineOf(*context_); }

 private:
  UnaryCall(const GrpcContext& grpc, const MethodRow& method, grpc::CallbackServerContext* context,
            const Request* request, Response* response)
      : grpc_(grpc), method_(method), context_(context), request_(request), response_(response) {}

  std::string_view Resource() const {
    if constexpr (requires { request_->name(); }) {
      return request_->name();
    } else if constexpr (requires { request_->parent(); }) {
      return request_->parent();
    } else {
      return "";
    }
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
  grpc::CallbackServerContext* const context_;
  const Request* const request_;
  Response* const response_;
  std::string who_;
  std::atomic<bool> finished_{false};
  std::shared_ptr<UnaryCall> self_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_GRPC_CALL_H_
