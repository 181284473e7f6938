#include "server/process/lifeline.h"

#include <unistd.h>

#include <span>

#include "runtime/io/socket.h"
#include "server/log.h"
#include "server/process/exit_code.h"

namespace grove::process {

absl::Status WatchLifeline(int fd) {
  absl::StatusOr<Socket> lifeline = Socket::Adopt(fd);
  if (!lifeline.ok()) return lifeline.status();
  char byte;
  for (;;) {
    const absl::StatusOr<size_t> got = lifeline->Read(std::span(&byte, 1));
    if (absl::IsCancelled(got.status())) return got.status();
    if (got.ok() && *got > 0) continue;
    Log(LogLevel::kError, "the supervisor is gone: ending at once");
    FlushLog();
    // Not exit(): fibers and threads are under way. What clients were told is on disk.
    _exit(kExitCrash);
  }
}

}  // namespace grove::process
