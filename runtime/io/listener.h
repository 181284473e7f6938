// Listener: a listening descriptor that several processes may share.
//
// The kernel wakes one of the hubs that wait on it (EPOLLEXCLUSIVE). The descriptor is in the
// poller only while a fiber waits for a connection, so a worker at its connection limit neither
// spins nor swallows another's wake-up; adding it anew also moves this worker to the front of the
// kernel's queue, which spreads connections over workers.
// Hub thread only.
#ifndef GROVE_RUNTIME_IO_LISTENER_H_
#define GROVE_RUNTIME_IO_LISTENER_H_

#include <sys/types.h>

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/io/socket.h"

namespace grove {

struct ListenOptions {
  // Connections that wait to be accepted; capped by net.core.somaxconn.
  int backlog = 4096;
  // Binds a TCP port although connections of its last listener linger in TIME_WAIT.
  bool reuse_address = true;
  // Several sockets on one address, between which the kernel spreads connections (SO_REUSEPORT,
  // socket(7)). Refused with port 0: the kernel may pick a port that another socket of this user
  // shares already, and connections would go astray.
  bool reuse_port = false;
  // An IPv6 socket takes no IPv4 connections (as ::ffff:a.b.c.d).
  bool v6_only = true;
  // Of connections taken, TCP only; infinite: no probes.
  absl::Duration keep_alive_idle = kKeepAliveIdle;
  // A connection is there to be accepted once the client has sent something, or has been silent for
  // about so long (TCP_DEFER_ACCEPT, tcp(7)): one wake-up, and a first read that finds something.
  // In whole seconds, TCP only; zero: at once. Kernels without it do without.
  absl::Duration defer_accept = absl::ZeroDuration();
  // Permission bits of a UNIX path, set before anybody can connect; unset: as the umask says.
  std::optional<mode_t> unix_mode = std::nullopt;
};

class Listener {
 public:
  // Binds and listens in one: "127.0.0.1:6000", "[::]:80", "unix:/run/app.sock"; port 0 is one that
  // is free (LocalAddress()). Errors as of SocketAddress::Parse(), BindListener() and Adopt(); each
  // names the address. A process that forks afterwards binds by BindListener().
  static absl::StatusOr<Listener> Listen(std::string_view address,
                                         const ListenOptions& options = {});
  // Takes over a bound, listening descriptor; connections made from now on have TCP_NODELAY, which
  // they inherit. `accept_batch`: connections taken per wake-up, before
  // the others sharing it get their chance; at least 1.
  static absl::StatusOr<Listener> Adopt(int fd, int accept_batch = 16);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener() { Close(); }

  // The next connection (TCP_NODELAY set where it applies), and whose it is if `peer` is not null:
  // also of a client that has left by now. kResourceExhausted: out of descriptors or memory, try
  // again later; the connection stays in the backlog. kAborted: closed. **Parks.**
  absl::StatusOr<Socket> Accept(SocketAddress* peer = nullptr);
  // Waits until there may be one to accept: then Accept() does not wait, unless another process
  // was faster. Returns at once within a batch. As Accept(). **Parks.**
  absl::Status AwaitConnection();
  // The next Accept() waits for a wake-up again: the others get their chance first.
  void EndBatch() { left_in_batch_ = 0; }
  void Close();

  int fd() const { return fd_; }
  // With the port that the kernel chose for port 0.
  SocketAddress LocalAddress() const { return SocketAddress::OfLocal(fd_); }

 private:
  Listener(int fd, int accept_batch) : fd_(fd), accept_batch_(accept_batch) {}

  int fd_;
  int accept_batch_;
  int left_in_batch_ = 0;
};

// Binds and listens; no hub needed. Connections of a loopback address use Reno instead of the
// system's congestion control (see the .cc); other addresses keep that. A UNIX path that a dead
// process left behind is replaced. kAlreadyExists: somebody listens on the UNIX path, or it is not
// a socket. kInvalidArgument: options that contradict each other or the address. kUnimplemented: a
// kernel without SO_REUSEPORT. Else the code of the errno, with the call and the address.
absl::StatusOr<int> BindListener(const SocketAddress& address, const ListenOptions& options = {});
// ListenOptions::defer_accept of a socket that is bound already, for connections from now on.
void SetDeferAccept(int fd, absl::Duration silence);

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_LISTENER_H_
