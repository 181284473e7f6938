// Poller: the readiness backend of a hub.
//
// Descriptors are registered once, for both directions. Two modes: edge-triggered for connections
// and pipes, shared (level-triggered, EPOLLEXCLUSIVE) for listeners that several processes wait on.
// The token comes back with each event; the caller makes it unique per registration, so that an
// event of a closed descriptor is never taken for one of its successor with the same number.
//
// Backends that have edges of their own (epoll) tell every edge. The others (poll) tell a direction
// once after each Rearm(), so that a descriptor that stays ready doesn't keep the hub awake.
#ifndef GROVE_RUNTIME_HUB_POLLER_H_
#define GROVE_RUNTIME_HUB_POLLER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/clock.h"

namespace grove {

enum class Direction : uint8_t { kRead = 0, kWrite = 1 };

class Poller {
 public:
  enum class Mode { kEdge, kSharedListener };
  struct Event {
    uint64_t token;
    bool readable;  // data, end of stream or error: a read won't block
    bool writable;
    bool hangup;  // the peer is gone or has shut down: no later event need follow
  };

  // The token of the hub's own wake-up. Nobody rearms its descriptor: it is reported for as long as
  // it is readable, and the hub drains it in the next turn.
  static constexpr uint64_t kWakeToken = UINT64_MAX;

  virtual ~Poller() = default;

  virtual absl::Status Add(int fd, uint64_t token, Mode mode) = 0;
  // Before the descriptor is closed.
  virtual void Remove(int fd) = 0;
  // As Remove(), for an edge-triggered descriptor that nobody else has open and that is closed
  // right after: a kernel that drops those by itself need not be told. A poller that wraps another
  // passes this on.
  virtual void RemoveClosing(int fd) { Remove(fd); }
  // A fiber is about to wait for `direction` of an edge-triggered `fd`: the next Wait() must report
  // it if it is ready, or as soon as it is. A poller that wraps another passes this on.
  virtual void Rearm(int /*fd*/, Direction /*direction*/) {}
  // Appends what is ready to `events`; waits until `deadline` (kNever: without end, 0: not at all)
  // as seen from `now` for the first. Never returns early without an event but for a signal. What
  // the kernel refuses for good ends the process: a hub that cannot wait would spin.
  virtual void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>& events) = 0;

  // epoll(7), waiting with nanosecond time-outs (epoll_pwait2(2), Linux 5.11) where there are.
  static absl::StatusOr<std::unique_ptr<Poller>> Epoll();
  // poll(2): each wait costs the kernel a look at every direction that a fiber waits for, but no
  // descriptor of its own. It also takes what epoll refuses: regular files, always ready.
  static absl::StatusOr<std::unique_ptr<Poller>> Poll();
  // "epoll" or "poll"; kInvalidArgument lists them. Reads no environment: a program that wants its
  // users to choose passes on GROVE_HUB or a flag.
  static absl::StatusOr<std::unique_ptr<Poller>> ByName(std::string_view name);

 protected:
  [[noreturn]] static void FailedForGood(std::string_view call, int error);
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_POLLER_H_
