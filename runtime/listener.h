// Listener: a listening descriptor that several processes may share.
//
// The kernel wakes one of the hubs that wait on it (EPOLLEXCLUSIVE). The descriptor is in the
// poller only while a fiber waits for a connection, so a worker at its connection limit neither
// spins nor swallows another's wake-up; adding it anew also moves this worker to the front of the
// kernel's queue, which spreads connections over workers.
// Hub thread only.
#ifndef GROVE_RUNTIME_LISTENER_H_
#define GROVE_RUNTIME_LISTENER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/socket.h"

namespace grove {

class Listener {
 public:
  // Takes over a bound, listening descriptor. `accept_batch`: connections taken per wake-up, before
  // the others sharing it get their chance; at least 1.
  static absl::StatusOr<Listener> Adopt(int fd, int accept_batch = 16);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener() { Close(); }

  // The next connection (TCP_NODELAY set where it applies). kResourceExhausted: out of descriptors
  // or memory, try again later; the connection stays in the backlog. kAborted: closed. **Parks.**
  absl::StatusOr<Socket> Accept();
  void Close();

  int fd() const { return fd_; }

 private:
  Listener(int fd, int accept_batch) : fd_(fd), accept_batch_(accept_batch) {}
  absl::Status AwaitConnection();

  int fd_;
  int accept_batch_;
  int left_in_batch_ = 0;
};

// Binds and listens; no hub needed. `backlog` is capped by net.core.somaxconn. A UNIX path that a
// dead process left behind is replaced; a live one is kAlreadyExists. kPermissionDenied, …
absl::StatusOr<int> BindListener(const SocketAddress& address, int backlog = 4096);

}  // namespace grove

#endif  // GROVE_RUNTIME_LISTENER_H_
