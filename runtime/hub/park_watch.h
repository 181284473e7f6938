// ParkWatch: told of each park of the fiber that made it, for as long as it lives.
//
// For what should not be held while its fiber waits for something else, as a database's transaction
// is. Several may watch one fiber; Yield() is no park. A fiber without any pays the test of a
// pointer at each park.
// It may die on another fiber, or after the end of its own. Hub thread only.
#ifndef GROVE_RUNTIME_HUB_PARK_WATCH_H_
#define GROVE_RUNTIME_HUB_PARK_WATCH_H_

#include "runtime/hub/fiber.h"

namespace grove {

class ParkWatch {
 public:
  ParkWatch(const ParkWatch&) = delete;
  ParkWatch& operator=(const ParkWatch&) = delete;

 protected:
  // Watches the running fiber.
  ParkWatch();
  virtual ~ParkWatch();

  const Fiber& fiber() const { return *fiber_; }

 private:
  friend class Hub;
  // It is about to park, on itself; waiting_for() says for what. Must not park, throw, nor make or
  // end a watch. Not told of a park that returns at once, since the fiber is cancelled or timed
  // out.
  virtual void OnPark(const Fiber& fiber) = 0;

  FiberHandle fiber_;
  ParkWatch* next_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_PARK_WATCH_H_
