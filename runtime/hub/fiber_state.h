// FiberState: where a fiber is in its life, and which moves there are.
//
//   Spawn ──> kRunnable ── its turn comes ──> kRunning ── its body is done ──> kEnded
//               ^   ^                          │    │
//               │   └───────── Yield ──────────┘    │ Park
//               └──── Resume ──── kParked <─────────┘
//
// Every state but kEnded is one of a live fiber: the hub's registry (`fibers_`) has it.
#ifndef GROVE_RUNTIME_HUB_FIBER_STATE_H_
#define GROVE_RUNTIME_HUB_FIBER_STATE_H_

#include <cstdint>

#include "runtime/hub/check.h"

namespace grove {

enum class FiberState : uint8_t {
  kRunnable,  // on its hub's run queue, once; it has run before or not
  kRunning,   // on no list: it is the hub's `running_`, or was until that went to the loop
  kParked,    // on no list of the hub's: what it waits for knows it, and says Unpark()
  kEnded,     // in no registry any more: handles alone know it
};

// kMayFollow[from][to].
inline constexpr bool kMayFollow[4][4] = {
    // kRunnable, kRunning, kParked, kEnded
    {false, true, false, false},   // kRunnable
    {true, false, true, true},     // kRunning
    {true, false, false, false},   // kParked
    {false, false, false, false},  // kEnded
};
constexpr bool MayFollow(FiberState from, FiberState to) {
  return kMayFollow[static_cast<int>(from)][static_cast<int>(to)];
}

// The one thing that a fiber's state is written by. Optimised, it is a store.
class FiberStateMachine {
 public:
  FiberState state() const { return state_; }
  void Enter(FiberState to) {
    GROVE_DCHECK(MayFollow(state_, to), "a fiber can't go from this state to that");
    state_ = to;
  }

 private:
  FiberState state_ = FiberState::kRunnable;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_FIBER_STATE_H_
