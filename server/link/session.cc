#include "server/link/session.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include "runtime/group/fiber_group.h"
#include "runtime/hub/fiber.h"

namespace grove::link {

absl::Status Session::Run(Take take, Next next) {
  // Not a fiber and a Join(): that returns at once if this fiber is being cancelled itself, and the
  // writer must not outlive the socket.
  FiberGroup group(FiberGroup::OnFailure::kLetRestRun, "link");
  absl::Status status = group.Spawn("link.write", [&] { return WriteFrames(next); }).status();
  if (status.ok()) status = ReadFrames(take);
  group.Cancel();
  socket_.Close();
  group.Join().IgnoreError();
  return ended_.ok() || absl::IsCancelled(status) ? status : ended_;
}

absl::Status Session::ReadFrames(Take take) {
  for (;;) {
    absl::StatusOr<std::string> bytes = ReadFrame(socket_);
    if (!bytes.ok()) return bytes.status();
    // The kernel still gives what came before the stream was shut down.
    if (!ended_.ok()) return ended_;
    if (absl::Status taken = take(*bytes); !taken.ok()) return taken;
  }
}

absl::Status Session::WriteFrames(Next next) {
  for (;;) {
    absl::StatusOr<std::string> bytes = next();
    absl::Status status = bytes.status();
    if (status.ok()) status = WriteFrame(socket_, *bytes);
    if (status.ok()) continue;
    // A broken stream is left to the reader: the peer's last frames may still be in it.
    if (!absl::IsUnavailable(status) && !absl::IsCancelled(status)) End(status);
    return status;
  }
}

bool Session::HasUnread() const {
  int bytes = 0;
  return socket_.open() && ioctl(socket_.fd(), FIONREAD, &bytes) == 0 && bytes > 0;
}

void Session::End(absl::Status why) {
  if (!ended_.ok() || !socket_.open()) return;
  ended_ = std::move(why);
  // Wakes the reader, wherever it stands in a frame.
  shutdown(socket_.fd(), SHUT_RDWR);
}

}  // namespace grove::link
