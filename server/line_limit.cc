#include "server/line_limit.h"

#include <time.h>

#include <utility>

namespace grove {

std::optional<int64_t> LineLimit::Admit() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return AdmitAt(now.tv_sec * 1'000'000'000LL + now.tv_nsec);
}

std::optional<int64_t> LineLimit::AdmitAt(int64_t now_ns) {
  absl::MutexLock lock(&mutex_);
  if (last_ns_.has_value() && now_ns - *last_ns_ < period_ns_) {
    ++left_out_;
    return std::nullopt;
  }
  last_ns_ = now_ns;
  return std::exchange(left_out_, 0) + 1;
}

}  // namespace grove
