// TakingPace: whether a client that is slow to take bytes is still worth waiting for.
//
// While a write waits it is told, now and then, how much the client has taken of what was sent. The
// client must take kTakenBytesMin for each io_timeout, on average: what it took beyond pays for a
// pause later, of up to kPauseMax time-outs, since programs that keep a rate (curl --limit-rate)
// fetch megabytes at once and then nothing for minutes. Every wait may last one io_timeout in any
// case. A client whose kernel no longer answers has no credit.
// What the client did is known as of the looks only; doubt is in its favour. Reads no clock and
// makes no system call. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_TAKING_PACE_H_
#define GROVE_SERVER_HTTP_SERVING_TAKING_PACE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "runtime/hub/clock.h"

namespace grove::http {

// What a client must take for each io_timeout, or it is cut off.
inline constexpr int64_t kTakenBytesMin = 64 * 1024;
// How many time-outs a client may pause that was faster before. Ten of 30 s are what curl needs
// after 6 MB at once, at 20 kB/s.
inline constexpr int kPauseMax = 10;
// The first bytes of a connection earn nothing: the client's kernel takes them, whether or not the
// client reads.
inline constexpr int64_t kUnearnedBytes = 4 * kTakenBytesMin;
// How soon it is seen what a client does.
inline constexpr int kLooksPerTimeout = 8;

class TakingPace {
 public:
  // The connection begins.
  TakingPace(absl::Duration io_timeout, MonotonicNanos now);

  void BeginWait(MonotonicNanos now);

  // What is known of the client at a look.
  struct Seen {
    int64_t taken = 0;  // of all that was ever sent
    bool answers = true;
  };
  // False: it is given up. Requires: after BeginWait().
  bool Look(MonotonicNanos now, const Seen& seen);
  // When to look again.
  MonotonicNanos NextLook(MonotonicNanos now) const;

 private:
  absl::Duration Earned(int64_t bytes) const;

  const absl::Duration io_timeout_;
  // As of `at_`: how much longer the client may take nothing.
  absl::Duration credit_;
  MonotonicNanos at_;
  MonotonicNanos quiet_since_;
  int64_t taken_ = 0;
  bool looked_ = false;  // in this wait
  MonotonicNanos wait_began_ = 0;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_TAKING_PACE_H_
