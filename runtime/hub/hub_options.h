// HubOptions: what a hub is made with; every default is one to run with.
#ifndef GROVE_RUNTIME_HUB_HUB_OPTIONS_H_
#define GROVE_RUNTIME_HUB_HUB_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/hub/clock.h"
#include "runtime/hub/poller.h"

namespace grove {

struct HubOptions {
  // Reserved per fiber, touched only as far as it is used.
  size_t stack_bytes = 64 * 1024;
  uint32_t fibers_max = 1'000'000;
  // Not 0: fibers run in an order drawn from this seed instead of first in, first out. For tests of
  // what may happen between two parks.
  uint64_t shuffle_seed = 0;
  // Fibers resumed per turn before timers and I/O get their turn.
  int resumes_per_turn = 256;
  Clock* clock = nullptr;  // Clock::Monotonic() if null
  // If null: Poller::ByName() of the environment's GROVE_HUB, or Poller::Epoll() without one.
  std::unique_ptr<Poller> poller;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_HUB_OPTIONS_H_
