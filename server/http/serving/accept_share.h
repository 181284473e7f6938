// AcceptShare: how many connections a worker may take before the others have had their chance.
//
// Workers that share a listener are woken one after the other, but one that is awake takes what
// waits in the backlog before the next has come up, so a burst would land on one or two. Hence: no
// worker gets further ahead of the one that has fewest than kAheadMax, or a thirty-second of what
// that one has. Whoever would waits for a moment (LetOthersGoFirst() in server.cc). One that does
// not use its chance, since it hangs or is not woken, is left out until its hub turns again.
// Told all numbers; reads no clock. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_ACCEPT_SHARE_H_
#define GROVE_SERVER_HTTP_SERVING_ACCEPT_SHARE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/hub/clock.h"

namespace grove::http {

// As the others see it.
struct WorkerLoad {
  bool accepts = false;
  uint64_t open = 0;             // connections
  MonotonicNanos last_turn = 0;  // of its hub
};

class AcceptShare {
 public:
  static constexpr uint64_t kAheadMax = 4;
  static constexpr uint64_t kAheadPart = 32;
  static constexpr uint64_t kUnbounded = UINT64_MAX;

  // How many more a worker that has `own` open may take now. `others`: each at a place of its own.
  uint64_t Allowance(uint64_t own, std::span<const WorkerLoad> others) const;
  // The others had their chance, from `before` to `after`.
  void NoteChance(std::span<const WorkerLoad> before, std::span<const WorkerLoad> after);

 private:
  // Of those that did not use it: the turn that was their last.
  std::vector<MonotonicNanos> absent_since_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_ACCEPT_SHARE_H_
