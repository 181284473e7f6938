// Context: libzmq's threads, shared by the sockets of a process.
//
// Its I/O threads start with the first socket, and no thread outlives a fork: make it after the
// last one. A child that uses its parent's fails a CHECK; there it may die, but closes nothing.
// Sockets of several hubs may share it, and talk over inproc:// addresses.
// Any thread, but for Close().
#ifndef GROVE_ZEROMQ_CONTEXT_H_
#define GROVE_ZEROMQ_CONTEXT_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::zeromq {

struct ContextOptions {
  // Each carries about a gigabyte a second, says libzmq's guide.
  int io_threads = 1;
  // Beyond: kResourceExhausted.
  int sockets_max = 1023;
};

class Context {
 public:
  // kInvalidArgument: an option is out of range.
  static absl::StatusOr<std::unique_ptr<Context>> Create(const ContextOptions& options = {});
  // Requires: no socket is open. Unless Close() came before, or in a forked child, it holds up its
  // thread until what was sent has left or its linger is over.
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Waits, off the hub, until what the closed sockets have sent has left, or their linger is over.
  // No socket can be opened from here on. kFailedPrecondition: some are open. kDeadlineExceeded,
  // kCancelled: it goes on closing; call it again, or let the destructor wait. **Parks.**
  absl::Status Close();

  size_t open_sockets() const { return open_; }

 private:
  friend class Socket;

  // What the closing thread and who waits for it share.
  struct Closing;

  explicit Context(void* raw);
  void CheckIsThisProcess() const;

  const pid_t process_;
  void* const raw_;
  std::atomic<size_t> open_{0};
  std::shared_ptr<Closing> closing_;  // null until the first Close()
  std::thread closer_;
};

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_CONTEXT_H_
