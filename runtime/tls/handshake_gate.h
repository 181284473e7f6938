// TlsHandshakeGate: how much of a hub's time handshakes take at once.
//
// Anybody can ask for a handshake, and its steps compute: 0.1 ms with small keys, many ms with
// large ones. So they pass one after the other, first come, first served, and in a turn of the hub
// no further one begins once those of the turn have computed for kTlsHandshakeTurn: what else there
// is to do waits for that and one step. Hub thread only.
#ifndef GROVE_RUNTIME_TLS_HANDSHAKE_GATE_H_
#define GROVE_RUNTIME_TLS_HANDSHAKE_GATE_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/sync/mutex.h"

namespace grove {

// In a turn; some small handshakes.
inline constexpr absl::Duration kTlsHandshakeTurn = absl::Milliseconds(1);

class TlsHandshakeGate {
 public:
  // Runs `step`, which must not park, when its time has come. kDeadlineExceeded, kCancelled: it did
  // not run. **Parks** before.
  absl::Status Pass(absl::FunctionRef<void()> step);

 private:
  Mutex passing_;
  // Of the hub's turn in which steps ran last.
  uint64_t turn_ = 0;
  absl::Duration spent_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_HANDSHAKE_GATE_H_
