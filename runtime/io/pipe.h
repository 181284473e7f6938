// Pipe: a unidirectional stream within a process, or to a child, used from fibers.
//
// Both ends are close-on-exec Sockets: Read, Write, Timeout scopes and Close work as on a
// connection, ShutdownWrite does not (a pipe ends when its writer is closed). Hub thread only.
#ifndef GROVE_RUNTIME_IO_PIPE_H_
#define GROVE_RUNTIME_IO_PIPE_H_

#include "absl/status/statusor.h"
#include "runtime/io/socket.h"

namespace grove {

struct Pipe {
  Socket reader;
  Socket writer;

  // kResourceExhausted: out of descriptors. Calls IgnoreBrokenPipes().
  static absl::StatusOr<Pipe> Create();
};

// The first call makes the process ignore SIGPIPE, unless it handles it in some way already.
// write(2) to a pipe and sendfile(2) have no MSG_NOSIGNAL: with the default action a peer that
// hangs up ends this process.
void IgnoreBrokenPipes();

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_PIPE_H_
