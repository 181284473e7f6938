// DumpFibers: the stacks of all fibers that do not run, on stderr, from a signal handler.
//
// Fibers that stand alike are shown once and counted: ten thousand idle connections are some lines.
// Ends at its deadline, also where nobody reads stderr, and says how many fibers it left out. The
// running fiber is not among them: its stack is what the handler interrupted.
#ifndef GROVE_SERVER_PROCESS_FIBER_DUMP_H_
#define GROVE_SERVER_PROCESS_FIBER_DUMP_H_

#include <string_view>

#include "runtime/hub/hub.h"

namespace grove::process {

// A line that says `what` of `fiber`, with its name, spawn site and task. False: nobody reads.
bool WriteFiberLine(std::string_view what, const Fiber& fiber, MonotonicNanos deadline = kNever);

// On the thread of `hub`, which may have been interrupted anywhere.
void DumpFibers(const Hub& hub, MonotonicNanos deadline);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_FIBER_DUMP_H_
