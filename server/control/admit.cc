#include "server/control/admit.h"

#include <grpc/grpc_security_constants.h>

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/raw_service.h"
#include "server/log.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// Longer than the name of anything that exists; a client may send megabytes.
constexpr size_t kAuditedBytesMax = 300;

// What a request names first, for the audit log.
std::string ResourceOf(const google::protobuf::Message& request) {
  for (const char* name : {"name", "parent"}) {
    const auto* field = request.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || field->is_repeated() ||
        field->type() != google::protobuf::FieldDescriptor::TYPE_STRING) {
      continue;
    }
    return request.GetReflection()->GetString(request, field);
  }
  return "";
}

}  // namespace

absl::Status AuditLogFull() {
  return tasks::WithRetryAfter(
      tasks::Refusal(absl::StatusCode::kUnavailable, "AUDIT_LOG_FULL",
                     "the audit log cannot be written, and nothing is changed without a line in "
                     "it; the daemon's log says why"),
      1000);
}

absl::StatusOr<tenancy::PrincipalPtr> Authorize(const Authorizer& authorizer,
                                                const MethodRow& method,
                                                const grpc::ServerContextBase& context,
                                                const CallMetadata& metadata) {
  Shown shown;
  const bool reads = authorizer.reads_certificates() || authorizer.checks_certificates();
  if (!authorizer.requires_tokens() && !reads) return authorizer.Authorize(method, shown);
  const auto found = metadata.find("authorization");
  if (found != metadata.end()) shown.authorization = {found->second.data(), found->second.size()};
  if (!reads) return authorizer.Authorize(method, shown);
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  // Without authorities to check it against TLS asks for none.
  const auto text_of = [&peer](const char* property) -> std::string_view {
    const std::vector<grpc::string_ref> texts = peer->FindPropertyValues(property);
    if (texts.size() != 1) return {};
    return {texts[0].data(), texts[0].size()};
  };
  shown.certificate = text_of(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (authorizer.checks_certificates()) {
    shown.chain = text_of(GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME);
  }
  return authorizer.Authorize(method, shown);
}

grpc::Status ToGrpcStatus(const absl::Status& status, size_t bytes_max) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status rpc = ToTrailerStatus(status, bytes_max);
  return grpc::Status(static_cast<grpc::StatusCode>(rpc.code()), rpc.message(),
                      rpc.SerializeAsString());
}

absl::StatusOr<Caller> Admit(const GrpcContext& grpc, const MethodRow& method,
                             const grpc::CallbackServerContext& context) {
  absl::StatusOr<tenancy::PrincipalPtr> principal =
      Authorize(grpc.authorizer, method, context, context.client_metadata());
  if (!principal.ok()) {
    if (method.mutating) {
      Audit(grpc, method, {nullptr, "", context.peer()}, {}, principal.status());
    }
    return principal.status();
  }
  // Its own line would wait in memory, as many as there are such calls.
  if (method.mutating && !grpc.audit.HasRoom()) return AuditLogFull();
  return Caller{*principal, (*principal)->name, context.peer()};
}

absl::StatusOr<Caller> Admit(const GrpcContext& grpc, const MethodRow& method,
                             const grpc::CallbackServerContext& context,
                             const grpc::ByteBuffer& bytes, google::protobuf::Message& request) {
  absl::StatusOr<Caller> caller = Admit(grpc, method, context);
  if (!caller.ok()) return caller;
  absl::Status status = ParseMessage(bytes, request);
  AuditedCall audited;
  if (status.ok()) {
    status = grpc.scope.Apply(method, *caller->principal, request);
    if (!status.ok()) audited.resource = ResourceOf(request);
  }
  if (status.ok()) return caller;
  if (method.mutating) Audit(grpc, method, *caller, audited, status);
  return status;
}

void Reject(const GrpcContext& grpc, const grpc::CallbackServerContext& context,
            const absl::Status& status, std::function<void(const grpc::Status&)> finish) {
  if (!absl::IsUnauthenticated(status)) return finish(ToGrpcStatus(status));
  grpc.refused.Refuse(context.peer(), tasks::RefusalReason(status),
                      [status, finish = std::move(finish)] { finish(ToGrpcStatus(status)); });
}

void Audit(const GrpcContext& grpc, const MethodRow& method, const Caller& caller,
           const AuditedCall& call, const absl::Status& status) {
  // In the daemon's log, without tokens: nobody has a name there, and a line for each spawn would
  // hide all others. The tasks themselves tell what was spawned and when.
  if (!grpc.audit.has_file() && !grpc.authorizer.requires_tokens() &&
      method.method.find("Spawn") != method.method.npos) {
    return;
  }
  const std::string code = absl::StatusCodeToString(status.code());
  grpc.audit.Write({.method = method.method,
                    .who = caller.name,
                    .peer = caller.peer,
                    .tenant = caller.principal == nullptr ? "" : caller.principal->tenant,
                    .resource = tasks::Cut(call.resource, kAuditedBytesMax),
                    .asked = tasks::Cut(call.asked, kAuditedBytesMax),
                    .reason = tasks::Cut(call.reason, kAuditedBytesMax),
                    .result = code,
                    .answer = status.ok() ? std::string_view(call.answer)
                                          : tasks::Cut(Std(status.message()), kAuditedBytesMax)});
}

}  // namespace grove::control
