// GreenScope: while one lives, blocking libc calls of its fiber park the fiber in place of the hub.
//
//   GreenScope green({.offload = &pool});
//   redisReply* reply = static_cast<redisReply*>(redisCommand(context, "PING"));  // unmodified
//
// A program that links //runtime/green has libc's read, recv, write, send, connect, accept, poll,
// select, sleep, getaddrinfo and their kin twice: the executable's come first, for every library
// that it loads. Outside of a scope they are libc's. Inside, a call that would wait waits in the
// hub's poller, and sockets keep the flags that the library gave them. What no poller waits for
// (regular files, names, fsync) runs on the offload pool. What neither can do blocks the hub, as it
// would without: it is counted as escaped, with who called it (green_report.h).
//
// A fiber that holds a pthread mutex must not park, or another fiber of its thread could wait for
// that mutex for ever: the call blocks the hub then, and counts as refused. Not seen at all is what
// libc calls inside itself (stdio, its resolver), what is linked statically, and raw system calls.
//
// A Timeout or Cancel() of the fiber ends a call with ETIMEDOUT or ECANCELED, this one and all
// later ones, as it does parks: libraries take that for a broken connection. Libraries want room:
// give such fibers 256 KiB of stack. Lives on the stack of its fiber; scopes nest.
#ifndef GROVE_RUNTIME_GREEN_GREEN_SCOPE_H_
#define GROVE_RUNTIME_GREEN_GREEN_SCOPE_H_

#include <poll.h>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "runtime/offload/offload.h"

namespace grove {

class GreenScope {
 public:
  struct Options {
    // Runs what no poller can wait for. Null: it blocks the hub, and is counted as escaped. Must
    // outlive the scope.
    OffloadPool* offload = nullptr;
  };

  GreenScope() : GreenScope(Options()) {}
  explicit GreenScope(Options options);
  ~GreenScope();
  GreenScope(const GreenScope&) = delete;
  GreenScope& operator=(const GreenScope&) = delete;

  // The innermost scope of the running fiber; null where none is, also while one is at work.
  static GreenScope* OfRunning();

 private:
  friend class GreenedCall;

  // Until one of `fds` may be ready for its events, at most `timeout`. kDeadlineExceeded without
  // `timed_out` set is the fiber's own. **Parks.**
  absl::Status Await(absl::Span<const pollfd> fds, absl::Duration timeout, bool& timed_out);
  absl::Status Open();

  const Options options_;
  GreenScope* const outer_;
  // Its own descriptors' readiness, as one descriptor of the hub's poller: what a library closes
  // leaves it by itself. -1: nothing has waited yet.
  int epoll_ = -1;
  bool at_work_ = false;
  int locks_held_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_GREEN_GREEN_SCOPE_H_
