#include "server/control/grpc_call.h"

#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/control/rpc_status.h"
#include "server/log.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// Longer than the name of anything that exists; a client may send megabytes.
constexpr size_t kAuditedBytesMax = 300;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status rpc = ToRpcStatus(status);
  return grpc::Status(static_cast<grpc::StatusCode>(rpc.code()), rpc.message(),
                      rpc.SerializeAsString());
}

absl::StatusOr<Caller> AuthorizeCall(const Authorizer& authorizer, const MethodRow& method,
                                     const grpc::CallbackServerContext& context) {
  std::string_view authorization;
  if (authorizer.has_tokens()) {
    auto found = context.client_metadata().find("authorization");
    if (found != context.client_metadata().end()) {
      authorization = std::string_view(found->second.data(), found->second.size());
    }
  }
  absl::StatusOr<std::string_view> token = authorizer.Authorize(method, authorization);
  if (!token.ok()) {
    if (method.mutating) Audit(authorizer, method, {"", context.peer()}, {}, token.status());
    return token.status();
  }
  if (!method.mutating) return Caller();
  return Caller{token->empty() ? "local" : StrCat("token ", *token), context.peer()};
}

void Reject(const GrpcContext& grpc, const grpc::CallbackServerContext& context,
            const absl::Status& status, std::function<void(const grpc::Status&)> finish) {
  if (!absl::IsUnauthenticated(status)) return finish(ToGrpcStatus(status));
  grpc.refused.Refuse(context.peer(), tasks::RefusalReason(status),
                      [status, finish = std::move(finish)] { finish(ToGrpcStatus(status)); });
}

void Audit(const Authorizer& authorizer, const MethodRow& method, const Caller& caller,
           const AuditedCall& call, const absl::Status& status) {
  // Without tokens nobody has a name, and spawns are the hot path: a line for
  // each would cost more than the spawn. The tasks themselves tell what was spawned and when.
  const bool quiet = !authorizer.has_tokens() && method.method.find("Spawn") != method.method.npos;
  Log(quiet ? LogLevel::kDebug : LogLevel::kInfo, "audit",
      {{"method", method.method},
       {"who", caller.name},
       {"peer", caller.peer},
       {"resource", tasks::Cut(call.resource, kAuditedBytesMax)},
       {"asked", tasks::Cut(call.asked, kAuditedBytesMax)},
       {"result", absl::StatusCodeToString(status.code())},
       {"answer",
        status.ok() ? call.operation : tasks::Cut(Std(status.message()), kAuditedBytesMax)}});
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  return absl::FromChrono(deadline);
}

}  // namespace grove::control
