// StallDetector: whether a hub is held by one piece of code, decided from samples of its pulse.
//
// Told samples, it yields what is to be done. A stall is one fiber (or one call outside fibers)
// that has held the hub for `threshold`; a hub that waits in its poll never stalls. It is counted
// always and reported at most once per `report_interval`, so that a fiber that blocks again and
// again does not flood the log. Times are as fine as the samples are frequent, and never too long.
// Reads no clock, knows no thread. Not thread-safe.
#ifndef GROVE_RUNTIME_WATCH_STALL_DETECTOR_H_
#define GROVE_RUNTIME_WATCH_STALL_DETECTOR_H_

#include <cstdint>

#include "runtime/hub/clock.h"

namespace grove {

struct StallStats {
  uint64_t stalls = 0;
  uint64_t unreported = 0;  // of those: fell to the report interval
  MonotonicNanos held = 0;  // in stalls altogether, from each one's start; the present one included
  MonotonicNanos longest = 0;
};

class StallDetector {
 public:
  struct Options {
    MonotonicNanos threshold;
    MonotonicNanos report_interval;
  };
  struct Sample {
    MonotonicNanos now = 0;
    uint64_t resumes = 0;  // HubPulse's
    uint64_t phase = 1;    // HubPulse's; odd: idle
  };
  enum class Verdict : uint8_t {
    kNothing,
    kReport,  // a stall has reached the threshold: find out what it is
    kEnded,   // the stall that was reported is over; held() is how long it took
  };

  explicit StallDetector(Options options) : options_(options) {}

  Verdict Observe(const Sample& sample);
  // How long the present stall, or the last one, has held the hub.
  MonotonicNanos held() const { return held_; }
  const StallStats& stats() const { return stats_; }

 private:
  Verdict Restart(const Sample& sample);

  const Options options_;
  Sample last_;
  MonotonicNanos since_ = 0;  // first sample of the present pulse
  MonotonicNanos held_ = 0;
  MonotonicNanos report_not_before_ = 0;
  bool stalled_ = false;
  bool reported_ = false;  // the present stall
  StallStats stats_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_STALL_DETECTOR_H_
