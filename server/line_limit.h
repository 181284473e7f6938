// LineLimit: which of many like log lines is written: the first, then at most one a period.
//
// Tells how many each stands for, so that nothing goes uncounted. Writes nothing itself.
// Any thread.
#ifndef GROVE_SERVER_LINE_LIMIT_H_
#define GROVE_SERVER_LINE_LIMIT_H_

#include <cstdint>
#include <optional>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace grove {

class LineLimit {
 public:
  explicit LineLimit(absl::Duration period) : period_ns_(absl::ToInt64Nanoseconds(period)) {}

  // How many lines this one stands for, itself included; nothing: leave it out.
  std::optional<int64_t> Admit();
  // The same at a time of the monotonic clock.
  std::optional<int64_t> AdmitAt(int64_t now_ns);

 private:
  const int64_t period_ns_;
  absl::Mutex mutex_;
  std::optional<int64_t> last_ns_ ABSL_GUARDED_BY(mutex_);
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace grove

#endif  // GROVE_SERVER_LINE_LIMIT_H_
