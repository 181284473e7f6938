// CheckPeer: whether who connected to a UNIX socket may speak there.
#ifndef GROVE_SERVER_PROCESS_PEER_CREDENTIALS_H_
#define GROVE_SERVER_PROCESS_PEER_CREDENTIALS_H_

#include "absl/status/status.h"
#include "runtime/io/socket.h"

namespace grove::process {

// OK for a process of this user; kPermissionDenied names any other. The socket's directory keeps
// others out; this keeps out whoever got in all the same.
absl::Status CheckPeer(const Socket& socket);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_PEER_CREDENTIALS_H_
