// Poller: the readiness backend of a hub.
//
// Descriptors are registered once, for both directions. Two modes: edge-triggered for connections
// and pipes, shared (level-triggered, EPOLLEXCLUSIVE) for listeners that several processes wait on.
// The token comes back with each event; the caller makes it unique per registration, so that an
// event of a closed descriptor is never taken for one of its successor with the same number.
#ifndef GROVE_RUNTIME_POLLER_H_
#define GROVE_RUNTIME_POLLER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/clock.h"

namespace grove {

class Poller {
 public:
  enum class Mode { kEdge, kSharedListener };
  struct Event {
    uint64_t token;
    bool readable;  // data, end of stream or error: a read won't block
    bool writable;
    bool hangup;  // the peer is gone or has shut down: no later event need follow
  };

  virtual ~Poller() = default;

  virtual absl::Status Add(int fd, uint64_t token, Mode mode) = 0;
  // Before the descriptor is closed.
  virtual void Remove(int fd) = 0;
  // Appends what is ready to `events`; waits until `deadline` (kNever: without end, 0: not at all)
  // as seen from `now` for the first. Never returns early without an event but for a signal.
  virtual void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>& events) = 0;

  // epoll(7), waiting with nanosecond time-outs (epoll_pwait2(2), Linux 5.11) where there are.
  static absl::StatusOr<std::unique_ptr<Poller>> Epoll();
};

}  // namespace grove

#endif  // GROVE_RUNTIME_POLLER_H_
