#include "server/control/spawn_window.h"

namespace grove::control {

bool SpawnWindow::Take(int64_t bytes) {
  ++messages_;
  bytes_ += bytes;
  stands_ = !IsOpen();
  return !stands_;
}

bool SpawnWindow::Release(int64_t bytes) {
  --messages_;
  bytes_ -= bytes;
  if (!stands_ || !IsOpen()) return false;
  stands_ = false;
  return true;
}

}  // namespace grove::control
