// Authorizer: who may call which method.
//
// Without tokens everybody may call everything. With tokens, a call names one in its
// `authorization: Bearer …` metadata, and the token's role must cover the method's.
// Constant after construction; any thread.
#ifndef GROVE_SERVER_CONTROL_AUTHORIZER_H_
#define GROVE_SERVER_CONTROL_AUTHORIZER_H_

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grove/config/v1/config.pb.h"

namespace grove::control {

// The methods of grove.v1, in the order of their rows.
enum class Method {
  kSpawnTask,
  kBatchSpawnTasks,
  kGetTask,
  kWaitTask,
  kBatchWaitTasks,
  kListTasks,
  kCancelTask,
  kListQueues,
  kGetQueue,
  kListPools,
  kGetPool,
  kResizePool,
  kListWorkers,
  kGetFiber,
  kListFibers,
  kListFunctions,
  kOpenSession,
  kScaleWorkers,
  kRestartWorkers,
  kDrain,
  kReload,
  kUpgrade,
  kSetLogLevel,
  kGetOperation,
  kListOperations,
  kWatchOperation,
  kGetConfig,
  kDiffConfig,
  kOther,  // Of services that are not Grove's own.
};

struct MethodRow {
  Method number;
  // "/grove.v1.TaskService/SpawnTask"; a trailing '*' covers a whole service.
  std::string_view method;
  // ROLE_UNSPECIFIED: open to everybody.
  config::v1::Token::Role role;
  // Worth a line in the audit log.
  bool mutating;
};

// Every method that control serves.
absl::Span<const MethodRow> MethodTable();

// Requires: not kOther.
const MethodRow& RowOf(Method method);
// Also of services that are not Grove's own. A method that has no row needs the admin role.
const MethodRow& FindMethod(std::string_view method);

class Authorizer {
 public:
  // Reads the tokens' secrets. INVALID_ARGUMENT naming the token: no role, an unreadable file, two
  // tokens with the same secret.
  static absl::StatusOr<Authorizer> Create(const config::v1::Control& config);

  // The token's name, empty where none is needed. `authorization`: the metadata's value, empty if
  // there is none. UNAUTHENTICATED, PERMISSION_DENIED.
  absl::StatusOr<std::string_view> Authorize(const MethodRow& method,
                                             std::string_view authorization) const;

  bool has_tokens() const { return !tokens_.empty(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Holder {
    std::string name;
    config::v1::Token::Role role;
    Digest digest;
  };

  Authorizer() = default;
  static Digest DigestOf(std::string_view secret);
  // In a time that does not depend on the secret or on the tokens before it.
  const Holder* FindToken(std::string_view secret) const;

  std::vector<Holder> tokens_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_AUTHORIZER_H_
