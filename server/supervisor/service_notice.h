// NotifyServiceManager: tells systemd (or whoever set NOTIFY_SOCKET) how far the daemon is.
#ifndef GROVE_SERVER_SUPERVISOR_SERVICE_NOTICE_H_
#define GROVE_SERVER_SUPERVISOR_SERVICE_NOTICE_H_

#include <string_view>

namespace grove::supervisor {

// `state` as in sd_notify(3): "READY=1", "STOPPING=1". No effect without $NOTIFY_SOCKET; errors are
// nobody's reason to stop.
void NotifyServiceManager(std::string_view state);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SERVICE_NOTICE_H_
