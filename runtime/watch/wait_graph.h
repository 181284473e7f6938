// FindCycles: which fibers wait for each other so that none of them ever runs again.
//
// Edges come from what a parked fiber waits for (WaitFor::holders): the end of a fiber, of all
// children of a FiberGroup, of all members of a FiberPool; a Mutex, and a Semaphore that knows its
// holders. A fiber is stuck if one of those it needs is stuck, or, where any of several would do,
// if all of them are. What it can't know, and so never reports: who would set an event, notify a
// condition, put to or get from a queue, a Selector's wait, permits of a Semaphore that has lost
// track of its holders; and who holds a thread's lock. It takes for granted that a fiber which took
// a permit is the one to release it, and that nobody cancels a fiber of the cycle from outside.
//
// Reads the fibers in slices and lets others run in between. What it found is looked at once more
// in one piece, so a cycle that is reported exists at that moment. Hub thread only.
#ifndef GROVE_RUNTIME_WATCH_WAIT_GRAPH_H_
#define GROVE_RUNTIME_WATCH_WAIT_GRAPH_H_

#include <string>
#include <vector>

#include "runtime/hub/fiber.h"

namespace grove {

class Hub;

// Fibers, and names of holders, that are looked at before other fibers get their turn.
inline constexpr size_t kWaitGraphSlice = 1024;
// Cycles in one answer, and fibers whose waits prove one; what has more is left out.
inline constexpr size_t kWaitCyclesMax = 100;
inline constexpr size_t kWaitCycleFibersMax = 1000;

struct WaitingFiber {
  FiberId id = 0;
  std::string name;
  SourceLocation spawn_site;
  WaitFor::Kind kind = WaitFor::Kind::kNothing;
  std::string waits_for;  // as WaitForText()
  bool bounded = false;   // a Timeout in its scope will end the wait
};

// Each fiber waits for the next one, the last for the first.
struct WaitCycle {
  std::vector<WaitingFiber> fibers;
  // Nothing will end it. Else a Timeout will: an inefficiency or a mistake, but not the end.
  bool deadlock() const;
};

// Those on the current hub, deadlocks first. **Parks** (yields) between slices.
std::vector<WaitCycle> FindCycles(Hub& hub);

// One line: `deadlock: fiber 12 "a" (x.cc:10) waits for mutex 0x7f… held by fiber 13 "b" (…) …`, or
// `bounded wait: …`.
std::string ToString(const WaitCycle& cycle);
// A line for each.
std::string ToString(const std::vector<WaitCycle>& cycles);

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_WAIT_GRAPH_H_
