// TicketKeyRing: the keys of TLS session tickets, of this generation of workers and of those
// before.
//
// They are made by the supervisor and handed to workers in memory alone, so that each worker
// resumes the others' sessions, and a reload costs no client its own.
#ifndef GROVE_SERVER_SUPERVISOR_TICKET_KEY_RING_H_
#define GROVE_SERVER_SUPERVISOR_TICKET_KEY_RING_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace grove::supervisor {

class TicketKeyRing {
 public:
  // With daily reloads a key lives for some days.
  static constexpr size_t kKeysMax = 4;

  TicketKeyRing() = default;
  // Those of an earlier program of this process.
  explicit TicketKeyRing(std::string keys) : keys_(std::move(keys)) {}

  // A new key in front, which encrypts; the oldest goes. No effect on an error.
  absl::Status Renew();

  // As TlsServerOptions::ticket_keys; empty before the first Renew().
  const std::string& keys() const { return keys_; }

 private:
  std::string keys_;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_TICKET_KEY_RING_H_
