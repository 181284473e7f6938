#include "runtime/sync/bounded_semaphore.h"

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"

namespace grove {

BoundedSemaphore::BoundedSemaphore(int64_t permits) : limit_(permits), permits_(permits) {
  GROVE_CHECK(permits >= 0, "a BoundedSemaphore can't start with a debt");
}

absl::Status BoundedSemaphore::Release() {
  if (permits_.free() >= limit_) {
    return absl::FailedPreconditionError(
        absl::StrFormat("semaphore release: all %d permits are free already", limit_));
  }
  permits_.Release();
  return absl::OkStatus();
}

}  // namespace grove
