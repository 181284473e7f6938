// Socket: a connected stream (TCP, UNIX, or any pollable descriptor) used from fibers.
//
// Calls look blocking and park only their fiber. Bounds come from Timeout scopes. One fiber may
// read while another writes; a second reader or writer gets kFailedPrecondition naming both.
// Errors: kUnavailable for a connection that the peer or the network ended (ECONNRESET, EPIPE, …),
// kAborted when Close() came meanwhile, else the errno's canonical code with the call's name.
// Hub thread only.
#ifndef GROVE_RUNTIME_IO_SOCKET_H_
#define GROVE_RUNTIME_IO_SOCKET_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/wait_for.h"
#include "runtime/io/socket_address.h"
#include "runtime/io/stream.h"

namespace grove {

// An idle connection is probed after this long, so that a peer that vanished is noticed: what
// oslo.service sets (tcp_keepidle). Shorter than the two hours of tcp(7), which firewalls outlive.
inline constexpr absl::Duration kKeepAliveIdle = absl::Seconds(600);

struct ConnectOptions {
  // The own address of the connection; port 0: one that is free.
  std::optional<SocketAddress> bind = std::nullopt;
  // Both for TCP only. TCP_NODELAY: small writes leave at once, as on accepted connections.
  bool no_delay = true;
  // TCP_KEEPIDLE, whole seconds; infinite: no probes.
  absl::Duration keep_alive_idle = kKeepAliveIdle;
};

class Socket final : public Stream {
 public:
  Socket() = default;
  // Takes over `fd`, makes it non-blocking and registers it with the current hub.
  static absl::StatusOr<Socket> Adopt(int fd);
  // The same for what accept4(2) has just made, non-blocking: the kernel's poller learns of it only
  // when a fiber waits for it. Spares a short connection four system calls.
  static Socket AdoptAccepted(int fd);
  // kUnavailable: refused or unreachable. Errors of the bind name its address. **Parks.**
  static absl::StatusOr<Socket> Connect(const SocketAddress& address,
                                        const ConnectOptions& options = {});
  static absl::StatusOr<Socket> ConnectUnix(std::string_view path);

  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), pipe_(other.pipe_) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() override { Close(); }

  // See Stream.
  absl::StatusOr<size_t> Read(std::span<char> buffer) override;
  absl::Status Write(std::string_view bytes) override;
  absl::Status Writev(std::span<iovec> parts) override;
  // shutdown(2) of the writing side; never parks.
  absl::Status ShutdownWrite() override;
  void Close() override;
  // TCP: sends RST. Others have none: as Close().
  void Abort() override;
  // Gives up ownership: unregisters and returns the descriptor.
  int Release();

  bool open() const override { return fd_ >= 0; }
  int fd() const override { return fd_; }
  bool plain() const override { return true; }
  SocketAddress PeerAddress() const override;

 private:
  explicit Socket(int fd) : fd_(fd) {}

  int fd_ = -1;
  bool pipe_ = false;  // no socket after all: recv(2) does not know it
};

// Waits until `fd` (registered by Adopt or by DescriptorTable::Register) is ready to be read; for
// descriptors read by other means: signalfd, pidfd, a nested epoll. After a read that drained it,
// call DescriptorTable::NotReady. **Parks.**
absl::Status AwaitReadable(int fd, WaitFor::Kind kind = WaitFor::Kind::kRead);

// Sets SO_KEEPALIVE and TCP_KEEPIDLE of a TCP socket, whole seconds rounded up; no effect for an
// infinite `idle`. Connections inherit it from their listener.
absl::Status SetKeepAlive(int fd, absl::Duration idle);

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_SOCKET_H_
