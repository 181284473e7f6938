// ListGreenCalls: what blocking libraries called in GreenScopes of this hub, as control sees it.
//
// Hub thread only.
#ifndef GROVE_SERVER_LINK_GREEN_LIST_H_
#define GROVE_SERVER_LINK_GREEN_LIST_H_

#include "grove/internal/v1/link.pb.h"
#include "runtime/offload/offload.h"

namespace grove::link {

// Most calls in one reply, whatever was asked for. Call sites are places in code: some dozens.
inline constexpr int kGreenCallsPerReplyMax = 1000;

// What held the hub for longest first. Put into words on `offload`, since the loader's symbols are
// looked through for each; nobody's if that takes no call. **Parks.**
internal::v1::ListGreenCallsReply ListGreenCalls(const internal::v1::ListGreenCalls& request,
                                                 OffloadPool& offload);

}  // namespace grove::link

#endif  // GROVE_SERVER_LINK_GREEN_LIST_H_
