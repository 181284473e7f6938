// WaitFor: what a parked fiber waits for, and who could end that wait. Shown by introspection.
//
// What `object` points to is alive for as long as the fiber is parked there: whatever fibers wait
// for refuses to die before them (a CHECK in its destructor), and a fiber that is joined is kept by
// the hub until it has ended, which ends the join. That holds from the park to the unpark only:
// look at it while the fiber is kParked, never across a park of one's own. Hub thread only.
#ifndef GROVE_RUNTIME_HUB_WAIT_FOR_H_
#define GROVE_RUNTIME_HUB_WAIT_FOR_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"

namespace grove {

class Fiber;

// How many of the fibers that a HoldersOf names must act to end the wait.
enum class WaitNeeds : uint8_t {
  kUnknown,  // others may end it: what was named says nothing
  kAll,      // each of them
  kAny,      // one of them, and nobody else can
};

// Names by id the fibers that `object` waits for. A fiber that has ended may be named.
using FiberIdVisitor = absl::FunctionRef<void(uint64_t fiber)>;
using HoldersOf = WaitNeeds (*)(const void* object, FiberIdVisitor visit);

struct WaitFor {
  enum class Kind : uint8_t {
    kNothing,
    kRead,
    kWrite,
    kAccept,
    kConnect,
    kSignal,   // a SignalSet; fd: its signalfd
    kProcess,  // the end of a Subprocess; fd: its pidfd
    kTimer,
    kEvent,
    kSemaphore,
    kMutex,
    kCondition,
    kQueue,  // that all its tasks are done
    kQueuePut,
    kQueueGet,
    kSelect,
    kJoin,   // the end of a fiber
    kPool,   // that a FiberPool is empty
    kGroup,  // the end of a FiberGroup's children
    kServer,
    kOffload,
  };
  Kind kind = Kind::kNothing;
  int fd = -1;                   // of the kinds up to kProcess
  const void* object = nullptr;  // the Event, Queue, …; the Fiber of a kJoin
  HoldersOf holders = nullptr;   // null: nobody knows them
};

// "read", "mutex", "queue put", …: the words that every list of fibers uses.
std::string_view WaitForKindName(WaitFor::Kind kind);

// "read fd 7", "timer", "mutex 0x7f…", "join of fiber 12", "" for kNothing. Requires: the fiber is
// parked there.
std::string WaitForText(const WaitFor& wait);

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_WAIT_FOR_H_
