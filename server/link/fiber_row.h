// DescribeFiber: a live fiber as every list shows it: the API's, and the backdoor's.
//
// Hub thread only.
#ifndef GROVE_SERVER_LINK_FIBER_ROW_H_
#define GROVE_SERVER_LINK_FIBER_ROW_H_

#include "grove/v1/inspect_service.pb.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/fiber.h"

namespace grove::link {

// All but `name`, which only its worker's number completes, and what FIBER_VIEW_FULL adds.
v1::Fiber DescribeFiber(const Fiber& fiber, MonotonicNanos now);

}  // namespace grove::link

#endif  // GROVE_SERVER_LINK_FIBER_ROW_H_
