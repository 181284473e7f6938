#include "runtime/tls/handshake_gate.h"

#include "runtime/hub/hub.h"

namespace grove {

absl::Status TlsHandshakeGate::Pass(absl::FunctionRef<void()> step) {
  const MutexLock lock(passing_);
  if (!lock.ok()) return lock.status();
  Hub& hub = *Hub::Current();
  // A yield may come back within the turn; a timer fires in a later one.
  while (hub.Stats().turns == turn_ && spent_ >= kTlsHandshakeTurn) {
    if (absl::Status slept = Sleep(absl::Nanoseconds(1)); !slept.ok()) return slept;
  }
  if (hub.Stats().turns != turn_) {
    turn_ = hub.Stats().turns;
    spent_ = absl::ZeroDuration();
  }
  const MonotonicNanos began = hub.ReadClock();
  step();
  spent_ += absl::Nanoseconds(hub.ReadClock() - began);
  return absl::OkStatus();
}

}  // namespace grove
