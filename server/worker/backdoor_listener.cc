#include "server/worker/backdoor_listener.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "server/process/peer_credentials.h"

namespace grove::worker {
namespace {

// After an accept that failed for want of descriptors or memory.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);
// For the one line that a refused session gets.
constexpr absl::Duration kRefusalTimeout = absl::Seconds(1);

void Refuse(Socket& socket, const std::string& line) {
  Timeout timeout(kRefusalTimeout);
  socket.Write(line).IgnoreError();
}

}  // namespace

BackdoorListener::BackdoorListener(const config::v1::Backdoor& config,
                                   backdoor::BackdoorEnvironment environment, Publisher& publisher)
    : limits_(backdoor::BackdoorLimits::FromConfig(config)),
      sessions_max_(config.sessions_max()),
      environment_(std::move(environment)),
      publisher_(publisher) {}

absl::Status BackdoorListener::Run(Listener& listener) {
  for (;;) {
    absl::StatusOr<Socket> socket = listener.Accept();
    if (absl::IsResourceExhausted(socket.status())) {
      if (absl::Status status = Sleep(kAcceptPause); !status.ok()) return status;
      continue;
    }
    if (!socket.ok()) return socket.status();
    if (absl::Status status = process::CheckPeer(*socket); !status.ok()) {
      Refuse(*socket, absl::StrCat("refused: ", status.message(), "\n"));
      continue;
    }
    if (sessions_ >= sessions_max_) {
      Refuse(*socket,
             absl::StrCat("refused: ", sessions_, " sessions are open (backdoor.sessions_max)\n"));
      continue;
    }
    auto fiber = Spawn("backdoor", [this, socket = *std::move(socket)]() mutable {
      publisher_.set_backdoor_sessions(++sessions_);
      backdoor::ServeBackdoor(std::move(socket), limits_, environment_);
      publisher_.set_backdoor_sessions(--sessions_);
    });
    if (!fiber.ok()) return fiber.status();
  }
}

}  // namespace grove::worker
