#include "runtime/sync/task_count.h"

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

TaskCount::~TaskCount() {
  GROVE_CHECK(joiners_.empty(), "a TaskCount died while fibers wait for its end");
}

absl::Status TaskCount::Done() {
  if (unfinished_ == 0) {
    return absl::FailedPreconditionError("task done: called more often than tasks were put");
  }
  if (--unfinished_ > 0) return absl::OkStatus();
  while (Waiter* joiner = joiners_.Grant()) Hub::Current()->Unpark(*joiner->fiber);
  return absl::OkStatus();
}

absl::Status TaskCount::Join() {
  if (unfinished_ == 0) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running()};
  joiners_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kQueue, .object = this});
  if (self.granted) return absl::OkStatus();
  joiners_.Remove(self);
  return WakeStatus(wake, "task join");
}

}  // namespace grove
