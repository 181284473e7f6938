#include "server/control/authorizer.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <string_view>

#include "absl/strings/match.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using config::v1::Token;

constexpr Token::Role kRead = Token::ROLE_READ;
constexpr Token::Role kWrite = Token::ROLE_WRITE;
constexpr Token::Role kAdmin = Token::ROLE_ADMIN;

// By number; then the others.
constexpr MethodRow kMethods[] = {
    {Method::kSpawnTask, "/grove.v1.TaskService/SpawnTask", kWrite, true},
    {Method::kBatchSpawnTasks, "/grove.v1.TaskService/BatchSpawnTasks", kWrite, true},
    {Method::kGetTask, "/grove.v1.TaskService/GetTask", kRead, false},
    {Method::kWaitTask, "/grove.v1.TaskService/WaitTask", kRead, false},
    {Method::kBatchWaitTasks, "/grove.v1.TaskService/BatchWaitTasks", kRead, false},
    {Method::kListTasks, "/grove.v1.TaskService/ListTasks", kRead, false},
    {Method::kCancelTask, "/grove.v1.TaskService/CancelTask", kWrite, true},
    {Method::kListQueues, "/grove.v1.QueueService/ListQueues", kRead, false},
    {Method::kGetQueue, "/grove.v1.QueueService/GetQueue", kRead, false},
    {Method::kListPools, "/grove.v1.PoolService/ListPools", kRead, false},
    {Method::kGetPool, "/grove.v1.PoolService/GetPool", kRead, false},
    {Method::kResizePool, "/grove.v1.PoolService/ResizePool", kWrite, true},
    {Method::kListWorkers, "/grove.v1.WorkerService/ListWorkers", kRead, false},
    {Method::kGetFiber, "/grove.v1.InspectService/GetFiber", kRead, false},
    {Method::kListFibers, "/grove.v1.InspectService/ListFibers", kRead, false},
    {Method::kListFunctions, "/grove.v1.InspectService/ListFunctions", kRead, false},
    {Method::kOpenSession, "/grove.v1.BackdoorService/OpenSession", kAdmin, true},
    {Method::kScaleWorkers, "/grove.v1.OperationService/ScaleWorkers", kAdmin, true},
    {Method::kRestartWorkers, "/grove.v1.OperationService/RestartWorkers", kAdmin, true},
    {Method::kDrain, "/grove.v1.OperationService/Drain", kAdmin, true},
    {Method::kReload, "/grove.v1.OperationService/Reload", kAdmin, true},
    {Method::kUpgrade, "/grove.v1.OperationService/Upgrade", kAdmin, true},
    {Method::kSetLogLevel, "/grove.v1.OperationService/SetLogLevel", kAdmin, true},
    {Method::kGetOperation, "/grove.v1.OperationService/GetOperation", kRead, false},
    {Method::kListOperations, "/grove.v1.OperationService/ListOperations", kRead, false},
    {Method::kWatchOperation, "/grove.v1.OperationService/WatchOperation", kRead, false},
    {Method::kGetConfig, "/grove.v1.OperationService/GetConfig", kRead, false},
    // Reads whatever file it is told to.
    {Method::kDiffConfig, "/grove.v1.OperationService/DiffConfig", kAdmin, true},
    // Probes have no tokens.
    {Method::kOther, "/grpc.health.v1.Health/*", Token::ROLE_UNSPECIFIED, false},
    {Method::kOther, "/grpc.reflection.v1.ServerReflection/*", kRead, false},
    {Method::kOther, "/grpc.reflection.v1alpha.ServerReflection/*", kRead, false},
    // Shows every client's address.
    {Method::kOther, "/grpc.channelz.v1.Channelz/*", kAdmin, false},
};

constexpr bool IsByNumber() {
  for (size_t i = 0; i < static_cast<size_t>(Method::kOther); ++i) {
    if (kMethods[i].number != static_cast<Method>(i)) return false;
  }
  return true;
}
static_assert(IsByNumber());

constexpr MethodRow kUnknownMethod = {Method::kOther, "", kAdmin, true};

std::string_view RoleName(Token::Role role) {
  switch (role) {
    case Token::ROLE_READ:
      return "read";
    case Token::ROLE_WRITE:
      return "write";
    case Token::ROLE_ADMIN:
      return "admin";
    default:
      return "none";
  }
}

absl::Status Unauthenticated(std::string_view reason, std::string_view message) {
  return tasks::Refusal(absl::StatusCode::kUnauthenticated, reason, message);
}

}  // namespace

absl::Span<const MethodRow> MethodTable() {
  return kMethods;
}

const MethodRow& RowOf(Method method) {
  return kMethods[static_cast<size_t>(method)];
}

const MethodRow& FindMethod(std::string_view method) {
  for (const MethodRow& row : kMethods) {
    const bool whole_service = row.method.ends_with('*');
    if (whole_service ? method.starts_with(row.method.substr(0, row.method.size() - 1))
                      : method == row.method) {
      return row;
    }
  }
  return kUnknownMethod;
}

absl::StatusOr<Authorizer> Authorizer::Create(const config::v1::Control& config) {
  Authorizer authorizer;
  for (const config::v1::Token& token : config.tokens()) {
    const std::string where = StrCat("control.tokens: token '", token.name(), "': ");
    if (token.role() == Token::ROLE_UNSPECIFIED) {
      return absl::InvalidArgumentError(StrCat(where, "has no role; read, write or admin"));
    }
    absl::StatusOr<std::string> secret = config::ReadSecretFile(token.secret_file());
    if (!secret.ok()) {
      return absl::InvalidArgumentError(StrCat(where, secret.status().message()));
    }
    if (const Authorizer::Holder* other = authorizer.FindToken(*secret)) {
      return absl::InvalidArgumentError(
          StrCat(where, "has the same secret as '", other->name, "'"));
    }
    authorizer.tokens_.push_back({token.name(), token.role(), DigestOf(*secret)});
  }
  return authorizer;
}

absl::StatusOr<std::string_view> Authorizer::Authorize(const MethodRow& method,
                                                       std::string_view authorization) const {
  if (tokens_.empty() || method.role == Token::ROLE_UNSPECIFIED) return "";
  if (authorization.empty()) {
    return Unauthenticated("TOKEN_MISSING", "no token; send it as `authorization: Bearer TOKEN`");
  }
  constexpr size_t kSchemeSize = sizeof("Bearer ") - 1;
  if (!absl::StartsWithIgnoreCase(Abseil(authorization), "Bearer ")) {
    return Unauthenticated("TOKEN_MALFORMED", "authorization is not of the form `Bearer TOKEN`");
  }
  const Authorizer::Holder* token = FindToken(authorization.substr(kSchemeSize));
  if (token == nullptr) return Unauthenticated("TOKEN_UNKNOWN", "unknown token");
  if (token->role < method.role) {
    return tasks::Refusal(absl::StatusCode::kPermissionDenied, "ROLE_INSUFFICIENT",
                          StrCat("needs the role ", RoleName(method.role), "; token '", token->name,
                                 "' has ", RoleName(token->role)),
                          {{"token", token->name}, {"needs", std::string(RoleName(method.role))}});
  }
  return token->name;
}

Authorizer::Digest Authorizer::DigestOf(std::string_view secret) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
  return digest;
}

const Authorizer::Holder* Authorizer::FindToken(std::string_view secret) const {
  const Digest digest = DigestOf(secret);
  const Holder* found = nullptr;
  for (const Holder& token : tokens_) {
    if (CRYPTO_memcmp(token.digest.data(), digest.data(), digest.size()) == 0) found = &token;
  }
  return found;
}

}  // namespace grove::control
