#include "runtime/io/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

DescriptorTable& Table() {
  return Hub::Current()->descriptors();
}

// One writev(2) without SIGPIPE; pipes and other descriptors have no MSG_NOSIGNAL, for them the
// process ignores the signal.
ssize_t SendParts(int fd, std::span<iovec> parts) {
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return sent;
  return writev(fd, parts.data(), static_cast<int>(parts.size()));
}

// Drops the first `bytes` of `parts`.
std::span<iovec> Advance(std::span<iovec> parts, size_t bytes) {
  while (!parts.empty() && bytes >= parts.front().iov_len) {
    bytes -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (!parts.empty()) {
    parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + bytes;
    parts.front().iov_len -= bytes;
  }
  return parts;
}

const sockaddr* Raw(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

// What is set before connect(2): options and the own address.
absl::Status Prepare(int fd, const SocketAddress& address, const ConnectOptions& options) {
  const int on = 1;
  if (address.storage.ss_family != AF_UNIX) {
    if (options.no_delay) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (absl::Status set = SetKeepAlive(fd, options.keep_alive_idle); !set.ok()) return set;
  }
  if (!options.bind.has_value()) return absl::OkStatus();
  // The port is chosen at connect(2), when it only needs to be free for this peer.
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  if (bind(fd, Raw(*options.bind), options.bind->length) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("bind ", options.bind->ToString()));
}

}  // namespace

absl::Status SetKeepAlive(int fd, absl::Duration idle) {
  if (idle == absl::InfiniteDuration()) return absl::OkStatus();
  constexpr int64_t kIdleMax = 32767;  // MAX_TCP_KEEPIDLE of the kernel
  const int on = 1;
  const int seconds = static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Seconds(absl::Ceil(idle, absl::Seconds(1))), 1, kIdleMax));
  if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds)) != 0) {
    return ErrnoStatus(errno, "setsockopt(TCP_KEEPIDLE)");
  }
  return absl::OkStatus();
}

absl::StatusOr<Socket> Socket::Adopt(int fd) {
  Socket socket(fd);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return ErrnoStatus(errno, "fcntl(F_GETFL)");
  if ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl(O_NONBLOCK)");
  }
  if (absl::Status added = Table().Register(fd, Poller::Mode::kEdge); !added.ok()) return added;
  return socket;
}

Socket Socket::AdoptAccepted(int fd) {
  Table().RegisterAccepted(fd);
  return Socket(fd);
}

absl::StatusOr<Socket> Socket::Connect(const SocketAddress& address,
                                       const ConnectOptions& options) {
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  Socket owner(fd);
  if (absl::Status prepared = Prepare(fd, address, options); !prepared.ok()) return prepared;
  std::string call = absl::StrCat("connect ", address.ToString());
  if (options.bind.has_value()) absl::StrAppend(&call, " from ", options.bind->ToString());
  const int connected = connect(fd, Raw(address), address.length);
  const int error = errno;
  if (connected != 0 && error != EINPROGRESS) return ErrnoStatus(error, call);
  // Registered only now: epoll reports a socket that was never connected as hung up.
  if (absl::Status added = Table().Register(fd, Poller::Mode::kEdge); !added.ok()) return added;
  if (connected == 0) return owner;
  Table().NotReady(fd, Direction::kRead);
  Table().NotReady(fd, Direction::kWrite);
  if (absl::Status ready = Table().Await(fd, Direction::kWrite, WaitFor::Kind::kConnect);
      !ready.ok()) {
    return ready;
  }
  int failure = 0;
  socklen_t length = sizeof(failure);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length);
  if (failure != 0) return ErrnoStatus(failure, call);
  return owner;
}

absl::StatusOr<Socket> Socket::ConnectUnix(std::string_view path) {
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  local.sun_family = AF_UNIX;
  if (path.size() >= sizeof(local.sun_path)) {
    return absl::InvalidArgumentError(absl::StrFormat("UNIX socket path longer than %d bytes: %s",
                                                      sizeof(local.sun_path) - 1, path));
  }
  memcpy(local.sun_path, path.data(), path.size());
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return Connect(address);
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    pipe_ = other.pipe_;
  }
  return *this;
}

absl::StatusOr<size_t> Socket::Read(std::span<char> buffer) {
  for (;;) {
    absl::Status ready = Table().Await(fd_, Direction::kRead, WaitFor::Kind::kRead);
    if (!ready.ok()) return ready;
    // recv(2) takes a shorter way through the kernel than read(2).
    const ssize_t got = pipe_ ? read(fd_, buffer.data(), buffer.size())
                              : recv(fd_, buffer.data(), buffer.size(), 0);
    if (got >= 0) {
      // Less than asked for means drained: the next edge will tell, no call to see EAGAIN.
      if (got > 0 && static_cast<size_t>(got) < buffer.size())
        Table().NotReady(fd_, Direction::kRead);
      return static_cast<size_t>(got);
    }
    if (errno == EINTR) continue;
    if (errno == ENOTSOCK && !std::exchange(pipe_, true)) continue;
    if (errno != EAGAIN) return ErrnoStatus(errno, "read");
    Table().NotReady(fd_, Direction::kRead);
  }
}

absl::Status Socket::Write(std::string_view bytes) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  return Writev({&part, 1});
}

absl::Status Socket::Writev(std::span<iovec> parts) {
  parts = Advance(parts, 0);
  while (!parts.empty()) {
    absl::Status ready = Table().Await(fd_, Direction::kWrite, WaitFor::Kind::kWrite);
    if (!ready.ok()) return ready;
    const ssize_t sent = SendParts(fd_, parts.first(std::min<size_t>(parts.size(), IOV_MAX)));
    if (sent >= 0) {
      parts = Advance(parts, static_cast<size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return ErrnoStatus(errno, "write");
    Table().NotReady(fd_, Direction::kWrite);
  }
  return absl::OkStatus();
}

absl::Status Socket::ShutdownWrite() {
  if (shutdown(fd_, SHUT_WR) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "shutdown");
}

void Socket::Close() {
  if (fd_ < 0) return;
  if (Hub::Current() != nullptr) Table().UnregisterClosing(fd_);
  close(std::exchange(fd_, -1));
}

void Socket::Abort() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  if (fd_ >= 0) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  Close();
}

int Socket::Release() {
  // A socket may outlive its hub in a static or a moved-from holder: then nothing is registered.
  if (fd_ >= 0 && Hub::Current() != nullptr) Table().Unregister(fd_);
  return std::exchange(fd_, -1);
}

SocketAddress Socket::PeerAddress() const {
  SocketAddress address;
  address.length = sizeof(address.storage);
  if (getpeername(fd_, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) {
    address = SocketAddress();
  }
  return address;
}

absl::Status AwaitReadable(int fd, WaitFor::Kind kind) {
  return Table().Await(fd, Direction::kRead, kind);
}

}  // namespace grove
