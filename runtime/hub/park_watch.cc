#include "runtime/hub/park_watch.h"

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {
namespace {

Fiber* RunningFiber() {
  Fiber* const running = Hub::CurrentOrDie().running();
  GROVE_CHECK(running != nullptr, "a ParkWatch watches a fiber: none runs");
  return running;
}

}  // namespace

ParkWatch::ParkWatch() : fiber_(RunningFiber()), next_(fiber_->watches_) {
  fiber_->watches_ = this;
}

ParkWatch::~ParkWatch() {
  ParkWatch** at = &fiber_->watches_;
  while (*at != this) at = &(*at)->next_;
  *at = next_;
}

void Hub::TellWatches(const Fiber& self) {
  for (ParkWatch* watch = self.watches_; watch != nullptr; watch = watch->next_) {
    watch->OnPark(self);
  }
}

}  // namespace grove
