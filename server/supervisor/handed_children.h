// HasHistory, DescribeChild, ChildFrom: what is known of a child, as the next program reads it.
//
// Also of one that has died and waits for its back-off, which a new program must not forget. What a
// process has of the child, its pipe and its channel, is Supervisor's to hand over.
#ifndef GROVE_SERVER_SUPERVISOR_HANDED_CHILDREN_H_
#define GROVE_SERVER_SUPERVISOR_HANDED_CHILDREN_H_

#include "grove/internal/v1/handover.pb.h"
#include "runtime/hub/clock.h"
#include "server/supervisor/supervisor_state.h"

namespace grove::supervisor {

// Whether there is, or was, one: else there is nothing to hand over.
bool HasHistory(const ChildState& child);
// Without descriptors: -1.
internal::v1::HandedChild DescribeChild(int index, const ChildState& child);
// Its progress is watched from `now` on.
ChildState ChildFrom(const internal::v1::HandedChild& handed, MonotonicNanos now);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_HANDED_CHILDREN_H_
