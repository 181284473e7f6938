// Admit: the one door into control's API.
//
// Every call comes through it, before any work is done for it: who calls is found out, whether the
// method is for them, and whether what the request names exists for them. What is refused here is
// in the audit log if the method is audited. gRPC's threads.
#ifndef GROVE_SERVER_CONTROL_ADMIT_H_
#define GROVE_SERVER_CONTROL_ADMIT_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/hub/hub.h"
#include "server/audit/audit_log.h"
#include "server/control/authorizer.h"
#include "server/control/call_lanes.h"
#include "server/control/live_calls.h"
#include "server/control/method_table.h"
#include "server/control/refused_tokens.h"
#include "server/control/rpc_status.h"
#include "server/control/rpc_tally.h"
#include "server/control/scope_check.h"

namespace grove::control {

// What every service needs of control.
struct GrpcContext {
  Hub& hub;
  const Authorizer& authorizer;
  const ScopeCheck& scope;
  const audit::AuditLog& audit;
  RefusedTokens& refused;
  RpcTally& tally;
  LiveCalls& live;  // hub thread only
  CallLanes& lanes;
};

struct Caller {
  tenancy::PrincipalPtr principal;  // null: the call was not admitted
  std::string name;                 // "token ci", or "local" where no token is needed
  std::string peer;                 // its address
};

// `bytes_max`: of trailers.
grpc::Status ToGrpcStatus(const absl::Status& status, size_t bytes_max = kTrailerBytesDefault);

using CallMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// Who makes the call of `context`, by what its metadata and its connection show. UNAUTHENTICATED,
// PERMISSION_DENIED.
absl::StatusOr<tenancy::PrincipalPtr> Authorize(const Authorizer& authorizer,
                                                const MethodRow& method,
                                                const grpc::ServerContextBase& context,
                                                const CallMetadata& metadata);

// For a method whose request comes later, if at all. UNAUTHENTICATED, PERMISSION_DENIED;
// UNAVAILABLE: it changes something, and the audit log takes no line of it.
absl::StatusOr<Caller> Admit(const GrpcContext& grpc, const MethodRow& method,
                             const grpc::CallbackServerContext& context);

// Parses `bytes` into `request` besides, and keeps it within what the caller may name.
// INVALID_ARGUMENT; NOT_FOUND, as for a name that never was.
absl::StatusOr<Caller> Admit(const GrpcContext& grpc, const MethodRow& method,
                             const grpc::CallbackServerContext& context,
                             const grpc::ByteBuffer& bytes, google::protobuf::Message& request);

// What who wants to change something gets while the audit log has no room for the line.
absl::Status AuditLogFull();

// For a call that goes no further: `finish` gets the answer, at once or, where the token is to
// blame, when it has been delayed.
void Reject(const GrpcContext& grpc, const grpc::CallbackServerContext& context,
            const absl::Status& status, std::function<void(const grpc::Status&)> finish);

struct AuditedCall {
  std::string resource;
  std::string asked;   // the rest of the request, as text
  std::string reason;  // in the caller's words
  std::string answer;  // what it began or changed
};

// One line: who called what on which resource, and how it went.
void Audit(const GrpcContext& grpc, const MethodRow& method, const Caller& caller,
           const AuditedCall& call, const absl::Status& status);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_ADMIT_H_
