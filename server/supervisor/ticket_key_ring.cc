#include "server/supervisor/ticket_key_ring.h"

#include "absl/status/statusor.h"
#include "runtime/tls/ticket_keys.h"

namespace grove::supervisor {

absl::Status TicketKeyRing::Renew() {
  absl::StatusOr<std::string> key = TlsTicketKeys::Generate();
  if (!key.ok()) return key.status();
  keys_ = (*key + keys_).substr(0, kKeysMax * TlsTicketKeys::kKeyBytes);
  return absl::OkStatus();
}

}  // namespace grove::supervisor
