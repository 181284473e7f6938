// AdminGate: who may see /metrics and /debug, once there are tokens.
//
// Whose a request is stands in request.context.tenant then; empty: the operators'. Requests without
// a right token are counted, said in one log line a period, and answered with 401 a second
// later, so that a client that tries on and on does so slowly. Hub thread only.
#ifndef GROVE_SERVER_ADMIN_GATE_H_
#define GROVE_SERVER_ADMIN_GATE_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/config/v1/config.pb.h"
#include "server/http/handler/middleware.h"
#include "server/line_limit.h"
#include "server/tenancy/token_book.h"

namespace grove::admin {

// Long for a loop, short for a person; as the gRPC port has it.
inline constexpr absl::Duration kRefusedAnswerDelay = absl::Seconds(1);
// Of connections_max, those that may be held up so at a time: probes must find room. Beyond, the
// answer comes at once.
inline constexpr int kDelayedShare = 4;
inline constexpr absl::Duration kRefusedLineEvery = absl::Seconds(10);

class AdminGate {
 public:
  // Reads the tokens' secrets. INVALID_ARGUMENT names the token whose file cannot be used.
  static absl::StatusOr<std::unique_ptr<AdminGate>> Create(const config::v1::Admin& config);
  AdminGate(const AdminGate&) = delete;
  AdminGate& operator=(const AdminGate&) = delete;

  // Empty without tokens. This must outlive it.
  http::Middleware middleware();
  uint64_t refused() const { return refused_; }

 private:
  explicit AdminGate(int delayed_max) : delayed_max_(delayed_max) {}
  bool Accept(std::string_view secret, http::Request& request) const;
  // **Parks.**
  void Hold(const http::Request& request);

  const int delayed_max_;
  tenancy::TokenBook tokens_;
  LineLimit line_{kRefusedLineEvery};
  uint64_t refused_ = 0;
  int delayed_ = 0;
};

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_GATE_H_
