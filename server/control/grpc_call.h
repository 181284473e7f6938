// UnaryCall: a unary RPC of gRPC's callback API, handed to the hub and back.
//
// gRPC's threads admit the call (admit.h) and post it; the hub handles and finishes it, at the
// latest when its token ends. Kept alive by gRPC until OnDone, and by whatever was posted.
#ifndef GROVE_SERVER_CONTROL_GRPC_CALL_H_
#define GROVE_SERVER_CONTROL_GRPC_CALL_H_

#include <google/protobuf/arena.h>
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
#include "grove/v1/schedule_service.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/admit.h"
#include "server/control/audience.h"
#include "server/control/audited_batch.h"
#include "server/control/call.h"
#include "server/control/raw_service.h"
#include "server/control/rpc_status.h"
#include "server/control/spawn_trace.h"

namespace grove::control {

absl::Time DeadlineOf(const grpc::CallbackServerContext& context);

// Small for one task, and in few pieces for many.
google::protobuf::ArenaOptions CallArena();

template <typename Request, typename Response>
class UnaryCall final : public grpc::ServerUnaryReactor, public Call, private LiveCall {
 public:
  // Finishes the call, now or later. Runs on the hub, and may take parts out of the request but
  // for those that are audited.
  using Body = absl::AnyInvocable<void(const CallPtr&, Request&, Response&)>;

  static grpc::ServerUnaryReactor* Start(const GrpcContext& grpc, const MethodRow& method,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response, Body body) {
    auto* call = new UnaryCall(grpc, method, context, response, std::move(body));
    call->self_.reset(call);
    if (absl::Status status = call->Receive(*request); !status.ok()) {
      call->finished_ = true;
      call->Tally(status);
      Reject(grpc, *context, status, [call](const grpc::Status& answer) {
        call->grpc::ServerUnaryReactor::Finish(answer);
      });
      return call;
    }
    const absl::Status entered = grpc.lanes.Enter(call->principal(), request->Length(),
                                                  [self = call->self_] { self->Handle(); });
    if (!entered.ok()) call->TurnAway(entered);
    return call;
  }

  void Finish(const absl::Status& status) override {
    if (finished_.exchange(true)) return;
    on_cancel_ = nullptr;
    grpc_.live.Remove(*this);
    if (method_.mutating) Audit(grpc_, method_, caller_, Audited(status), status);
    const absl::Status sent = status.ok() ? SerializeMessage(response_, *answer_) : status;
    Tally(sent);
    grpc::ServerUnaryReactor::Finish(ToGrpcStatus(ForAudience(principal(), sent), ErrorBytesMax()));
  }
  bool finished() const override { return finished_; }
  absl::Time deadline() const override { return DeadlineOf(*context_); }
  std::string_view requested_by() const override { return caller_.name; }
  const tenancy::Principal& principal() const override { return *caller_.principal; }

 private:
  UnaryCall(const GrpcContext& grpc, const MethodRow& method, grpc::CallbackServerContext* context,
            grpc::ByteBuffer* answer, Body body)
      : grpc_(grpc), method_(method), context_(context), answer_(answer), body_(std::move(body)) {}

  absl::Status Receive(const grpc::ByteBuffer& request) {
    absl::StatusOr<Caller> caller = Admit(grpc_, method_, *context_, request, request_);
    if (!caller.ok()) return caller.status();
    caller_ = *std::move(caller);
    TakeTrace(context_->client_metadata(), request_);
    return absl::OkStatus();
  }

  // Without a line in the audit log: under such a load they would be most of it.
  void TurnAway(const absl::Status& why) {
    if (finished_.exchange(true)) return;
    Tally(why);
    grpc::ServerUnaryReactor::Finish(ToGrpcStatus(why));
  }

  // On the hub.
  void Handle() {
    if (finished_) return;
    if (!grpc_.live.Add(*this, caller_.principal)) return Finish(TokenRevoked());
    body_(self_, request_, response_);
  }

  size_t ErrorBytesMax() const {
    if constexpr (requires { request_.error_bytes_max(); }) {
      if (request_.error_bytes_max() > 0) return static_cast<size_t>(request_.error_bytes_max());
    }
    return kTrailerBytesDefault;
  }

  void Tally(const absl::Status& status) {
    grpc_.tally.Count(method_, status.code(), absl::Now() - began_);
  }

  // Inputs of tasks, and headers and bodies of requests, are left out: they are large, or secret.
  AuditedCall Audited(const absl::Status& status) const {
    AuditedCall call;
    if constexpr (requires { request_.reason(); }) call.reason = request_.reason();
    if constexpr (requires { request_.spec(); }) {
      call.resource = request_.parent();
      call.asked = request_.spec().function();
    } else if constexpr (requires { request_.specs(); }) {
      call.resource = request_.parent();
      call.asked = StrCat(request_.specs_size(), " tasks");
    } else if constexpr (requires { request_.schedule(); }) {
      call.resource = ScheduleOf(request_);
      call.asked = Rest([](Request& rest) { StripSchedule(rest); });
    } else if constexpr (requires { request_.target(); }) {
      call.resource = request_.name();
      call.asked =
          StrCat(request_.method().empty() ? "GET" : request_.method(), " ", request_.target());
    } else if constexpr (requires { request_.task(); }) {
      call.resource = request_.task().name();
      call.asked = Rest([](Request& rest) { rest.mutable_task()->clear_name(); });
    } else if constexpr (requires { request_.parent(); }) {
      call.resource = request_.parent();
      call.asked = Rest([](Request& rest) { rest.clear_parent(); });
    } else if constexpr (requires { request_.name(); }) {
      call.resource = request_.name();
      call.asked = Rest([](Request& rest) { rest.clear_name(); });
    } else {
      call.asked = Rest([](Request&) {});
    }
    if (status.ok()) call.answer = AuditedAnswer();
    return call;
  }

  // The parent of one that is made, the name of one that is changed.
  static std::string ScheduleOf(const auto& request) {
    if constexpr (requires { request.parent(); }) {
      return request.parent();
    } else {
      return request.schedule().name();
    }
  }
  static void StripSchedule(auto& rest) {
    if constexpr (requires { rest.clear_parent(); }) rest.clear_parent();
    rest.mutable_schedule()->clear_name();
    if (rest.schedule().has_spec()) rest.mutable_schedule()->mutable_spec()->clear_input();
  }

  // The request as text, without what the line says elsewhere.
  template <typename Strip>
  std::string Rest(Strip strip) const {
    Request rest = request_;
    strip(rest);
    if constexpr (requires { rest.reason(); }) rest.clear_reason();
    return rest.ShortDebugString();
  }

  std::string AuditedAnswer() const {
    if constexpr (std::is_same_v<Response, v1::Operation>) return response_.name();
    if constexpr (requires { response_.changed(); }) {
      return StrCat("changed ", response_.changed(), " of ", response_.matched());
    }
    if constexpr (requires { response_.body_end(); }) {
      return StrCat(response_.worker(), " answered ", response_.status());
    }
    if constexpr (requires { response_.purged(); }) {
      return StrCat("purged ", response_.purged(), " of ", response_.matched());
    }
    if constexpr (std::is_same_v<Response, v1::RunScheduleResponse>) return response_.task().name();
    if constexpr (requires { request_.spec(), response_.task(); }) return response_.task().name();
    if constexpr (requires { request_.specs(), response_.results(); }) {
      return AuditedBatch(response_.results());
    }
    return "";
  }

  void OnCancel() override {
    grpc_.hub.Post([self = self_] { self->GiveUp(absl::CancelledError("the client went away")); });
  }
  // On the hub.
  void EndRevoked() override { GiveUp(TokenRevoked()); }
  void GiveUp(const absl::Status& why) {
    if (finished_) return;
    if (auto undo = std::exchange(on_cancel_, nullptr)) undo();
    Finish(why);
  }
  void OnDone() override { self_.reset(); }
  // gRPC's own reactors say so: what is above is too little for another thread of gRPC's.
  bool InternalInlineable() override { return true; }

  const GrpcContext grpc_;
  const MethodRow& method_;
  const absl::Time began_ = absl::Now();
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const answer_;
  Body body_;
  // A batch has tens of thousands of parts, which are freed with their arena.
  google::protobuf::Arena arena_{CallArena()};
  Request& request_ = *google::protobuf::Arena::CreateMessage<Request>(&arena_);
  Response& response_ = *google::protobuf::Arena::CreateMessage<Response>(&arena_);
  Caller caller_;
  std::atomic<bool> finished_{false};
  std::shared_ptr<UnaryCall> self_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_GRPC_CALL_H_
