// BackdoorServer: admits backdoor sessions of this process, up to a limit.
//
//   BackdoorServer backdoor({.environment = {…}});
//   absl::Status ended = backdoor.Serve("unix:/run/shop/backdoor");
//
// A session reads what it likes of the process, so it is this user's alone: a UNIX socket asks the
// kernel who connects. On a loopback address whoever has an account on the machine may connect.
// Hub thread only.
#ifndef GROVE_SERVER_BACKDOOR_BACKDOOR_SERVER_H_
#define GROVE_SERVER_BACKDOOR_BACKDOOR_SERVER_H_

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "server/backdoor/backdoor.h"

namespace grove::backdoor {

// Of a session's fiber: half for Lua's nested calls, the rest for what is above and below them.
inline constexpr size_t kBackdoorStackBytesMin = 192 * 1024;

struct BackdoorServerOptions {
  BackdoorLimits limits;
  // Sessions at once; who comes then is told so.
  int sessions_max = 8;
  BackdoorEnvironment environment;
  // Told how many sessions there are, each time that this changes. May be empty; must not park.
  std::function<void(int sessions)> on_sessions;
};

class BackdoorServer {
 public:
  explicit BackdoorServer(BackdoorServerOptions options) : options_(std::move(options)) {}
  BackdoorServer(const BackdoorServer&) = delete;
  BackdoorServer& operator=(const BackdoorServer&) = delete;

  // Until the caller is interrupted, which ends the sessions too; the listener stays open.
  // kInvalidArgument: it can be reached from other machines. Requires: fibers of this hub have
  // stacks of kBackdoorStackBytesMin. **Parks.**
  absl::Status Serve(Listener& listener);
  // The same on an address ("unix:/run/shop/backdoor", "127.0.0.1:4000"), which is free again when
  // it returns. The UNIX socket is made for its user alone. kFailedPrecondition: the stacks of this
  // hub's fibers are too small. **Parks.**
  absl::Status Serve(std::string_view address);

  int sessions() const { return sessions_; }

 private:
  // One connection: a session, or why it gets none.
  absl::Status Talk(Socket& socket);
  void Count(int change);

  const BackdoorServerOptions options_;
  int sessions_ = 0;
};

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_BACKDOOR_SERVER_H_
