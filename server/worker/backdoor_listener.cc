#include "server/worker/backdoor_listener.h"

#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/serve.h"
#include "server/process/peer_credentials.h"

namespace grove::worker {
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

BackdoorListener::BackdoorListener(const config::v1::Backdoor& config,
                                   backdoor::BackdoorEnvironment environment, Publisher& publisher)
    : limits_(backdoor::BackdoorLimits::FromConfig(config)),
      sessions_max_(config.sessions_max()),
      environment_(std::move(environment)),
      publisher_(publisher) {}

absl::Status BackdoorListener::Run(Listener& listener) {
  StreamServer server({.concurrency = sessions_max_ + kRefusalsAtOnce, .name = "backdoor"});
  return server.Serve(listener, [this](Socket& socket) { return Serve(socket); });
}

absl::Status BackdoorListener::Serve(Socket& socket) {
  if (absl::Status peer = process::CheckPeer(socket); !peer.ok()) {
    return Refuse(socket, std::string(peer.message()));
  }
  if (sessions_ >= sessions_max_) {
    return Refuse(socket, absl::StrCat(sessions_, " sessions are open (backdoor.sessions_max)"));
  }
  publisher_.set_backdoor_sessions(++sessions_);
  const absl::Cleanup ended = [this] { publisher_.set_backdoor_sessions(--sessions_); };
  backdoor::ServeBackdoor(std::move(socket), limits_, environment_);
  return absl::OkStatus();
}

}  // namespace grove::worker
