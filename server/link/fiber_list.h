// ListFibers: the live fibers of this hub, as control and its clients see them.
//
// Hub thread only.
#ifndef GROVE_SERVER_LINK_FIBER_LIST_H_
#define GROVE_SERVER_LINK_FIBER_LIST_H_

#include <string_view>

#include "grove/internal/v1/link.pb.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"

namespace grove::link {

// Most fibers in one reply, whatever was asked for.
inline constexpr int kFibersPerReplyMax = 1000;
// Looked at before other fibers get their turn: at up to 1.5 us each, with a cache miss and the
// text of a row, less than 1 ms.
inline constexpr size_t kFibersPerSlice = 512;

// The same with stacks. A stack is walked on the hub, at some 3 us each with its high-water mark;
// the names of its functions are looked up on a thread, since the first of each reads the symbol
// table: 1 ms for a hundred stacks of a small program.
inline constexpr int kStacksPerReplyMax = 100;

// The `request.limit` smallest ids above `request.after`. A fiber that lives throughout the call is
// listed; younger and dying ones may be. `owner`, as "workers/0", begins their names. Stacks are of
// a moment later; those who end meanwhile have none, nor has anybody if `offload` takes no call.
// **Parks**: yields between slices, and for names.
internal::v1::ListFibersReply ListFibers(const internal::v1::ListFibers& request,
                                         std::string_view owner, OffloadPool& offload);

}  // namespace grove::link

#endif  // GROVE_SERVER_LINK_FIBER_LIST_H_
