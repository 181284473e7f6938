#include "server/backdoor/backdoor_server.h"

#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/serve.h"
#include "server/process/peer_credentials.h"

namespace grove::backdoor {
namespace {

// Connections beyond the sessions that are told at once why they are refused; more wait for that.
constexpr int64_t kRefusalsAtOnce = 16;
// For the one line that a refused session gets.
constexpr absl::Duration kRefusalTimeout = absl::Seconds(1);

absl::Status Refuse(Socket& socket, const std::string& why) {
  Timeout timeout(kRefusalTimeout);
  return socket.Write(absl::StrCat("refused: ", why, "\n"));
}

}  // namespace

absl::Status BackdoorServer::Serve(Listener& listener) {
  const SocketAddress address = listener.LocalAddress();
  if (!address.IsOfThisMachineAlone()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the backdoor asks nobody for a password: want a UNIX socket or a loopback address, not ",
        address.ToString()));
  }
  StreamServer server({.concurrency = options_.sessions_max + kRefusalsAtOnce, .name = "backdoor"});
  return server.Serve(listener, [this](Socket& socket) { return Talk(socket); });
}

absl::Status BackdoorServer::Serve(std::string_view address) {
  if (const size_t has = Hub::Current()->running()->stack_bytes(); has < kBackdoorStackBytesMin) {
    return absl::FailedPreconditionError(absl::StrCat("the backdoor needs fibers with stacks of ",
                                                      kBackdoorStackBytesMin, " bytes, these have ",
                                                      has, " (HubOptions::stack_bytes)"));
  }
  ListenOptions options;
  if (address.starts_with("unix:")) options.unix_mode = 0600;
  absl::StatusOr<Listener> listener = Listener::Listen(address, options);
  if (!listener.ok()) return listener.status();
  return Serve(*listener);
}

void BackdoorServer::Count(int change) {
  sessions_ += change;
  if (options_.on_sessions) options_.on_sessions(sessions_);
}

absl::Status BackdoorServer::Talk(Socket& socket) {
  if (SocketAddress::OfLocal(socket.fd()).family() == AF_UNIX) {
    if (absl::Status peer = process::CheckPeer(socket); !peer.ok()) {
      return Refuse(socket, std::string(peer.message()));
    }
  }
  if (sessions_ >= options_.sessions_max) {
    return Refuse(socket, absl::StrCat(sessions_, " sessions are open (backdoor.sessions_max)"));
  }
  Count(1);
  const absl::Cleanup ended = [this] { Count(-1); };
  ServeBackdoor(std::move(socket), options_.limits, options_.environment);
  return absl::OkStatus();
}

}  // namespace grove::backdoor
