// RunMean: what a function's attempts take, on average of late.
#ifndef GROVE_SERVER_TASKS_RUN_MEAN_H_
#define GROVE_SERVER_TASKS_RUN_MEAN_H_

#include <cstdint>

#include "server/tasks/engine_time.h"

namespace grove::tasks {

class RunMean {
 public:
  void Add(int64_t us) { us_ = us_ < 0 ? us : us_ + (us - us_) / kAttempts; }
  // What the next one will probably take.
  int64_t us() const { return us_ < 0 ? kUnknownUs : us_; }

 private:
  // Before the first has ended.
  static constexpr int64_t kUnknownUs = kUsPerSecond;
  // An attempt counts one in so many.
  static constexpr int64_t kAttempts = 16;

  int64_t us_ = -1;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RUN_MEAN_H_
