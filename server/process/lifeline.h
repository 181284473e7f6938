// The lifeline: a pipe on which nobody writes, and whose end says that the supervisor is gone.
//
// The supervisor alone has the writing end, so the kernel closes it however the supervisor dies;
// every child reads. Beside PR_SET_PDEATHSIG, which a setuid or capability change would clear.
#ifndef GROVE_SERVER_PROCESS_LIFELINE_H_
#define GROVE_SERVER_PROCESS_LIFELINE_H_

#include "absl/status/status.h"

namespace grove::process {

// Until the supervisor is gone, which ends this process with kExitCrash: nobody would restart what
// fails here, nor answer for it. So does a lifeline that cannot be read. Takes over `fd`. Returns
// kCancelled, or why `fd` cannot be watched. The body of a fiber. **Parks.**
absl::Status WatchLifeline(int fd);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_LIFELINE_H_
