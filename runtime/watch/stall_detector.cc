#include "runtime/watch/stall_detector.h"

#include <algorithm>

namespace grove {

StallDetector::Verdict StallDetector::Observe(const Sample& sample) {
  const bool idle = sample.phase % 2 != 0;
  if (idle || sample.resumes != last_.resumes || sample.phase != last_.phase) {
    return Restart(sample);
  }
  // Nobody looked for as long as a stall takes: the whole process was stopped, by a signal or a
  // debugger. That time is nobody's fault.
  if (sample.now - last_.now > options_.threshold) since_ += sample.now - last_.now;
  last_ = sample;
  const MonotonicNanos held = sample.now - since_;
  if (held < options_.threshold) return Verdict::kNothing;
  stats_.held += held - (stalled_ ? held_ : 0);
  stats_.longest = std::max(stats_.longest, held);
  held_ = held;
  if (stalled_) return Verdict::kNothing;
  stalled_ = true;
  ++stats_.stalls;
  reported_ = sample.now >= report_not_before_;
  if (!reported_) {
    ++stats_.unreported;
    return Verdict::kNothing;
  }
  report_not_before_ = sample.now + options_.report_interval;
  return Verdict::kReport;
}

StallDetector::Verdict StallDetector::Restart(const Sample& sample) {
  const bool ended = stalled_ && reported_;
  last_ = sample;
  since_ = sample.now;
  stalled_ = false;
  reported_ = false;
  return ended ? Verdict::kEnded : Verdict::kNothing;
}

}  // namespace grove
