#include "server/tasks/effects.h"

namespace grove::tasks {

internal::v1::ControlFrame& Effects::FrameTo(int32_t worker, size_t input_bytes) {
  WorkerFrames& to = to_workers[worker];
  if (to.frames.empty() || to.last_frame_input_bytes > kFrameInputBytesMax) {
    to.frames.emplace_back();
    to.last_frame_input_bytes = 0;
  }
  to.last_frame_input_bytes += input_bytes;
  return to.frames.back();
}

bool Effects::empty() const {
  return to_workers.empty() && writes.empty() && first_starts.empty() && loads.empty() &&
         acknowledged.empty() && ended.empty();
}

void Effects::Clear() {
  to_workers.clear();
  writes.clear();
  first_starts.clear();
  tallies.clear();
  loads.clear();
  acknowledged.clear();
  ended.clear();
}

}  // namespace grove::tasks
