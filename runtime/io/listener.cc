#include "runtime/io/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

DescriptorTable& Table() {
  return Hub::Current()->descriptors();
}

// accept(2) passes on pending network errors of the new connection: they are that client's, not
// ours.
bool IsClientsError(int error) {
  return error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == EHOSTUNREACH ||
         error == ENETUNREACH || error == ETIMEDOUT || error == EPERM;
}

int AcceptNow(int listener, SocketAddress* peer) {
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (peer == nullptr) return accept4(listener, nullptr, nullptr, kFlags);
  peer->length = sizeof(peer->storage);
  return accept4(listener, reinterpret_cast<sockaddr*>(&peer->storage), &peer->length, kFlags);
}

const char* UnixPath(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr_un&>(address.storage).sun_path;
}

// Whether somebody listens on this UNIX path. A full backlog (EAGAIN) is a live one.
bool IsAlive(const SocketAddress& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const int connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  const bool alive = connected == 0 || errno != ECONNREFUSED;
  close(fd);
  return alive;
}

// Removes the socket file that a dead process left, so that bind(2) can make it anew.
absl::Status RemoveStaleUnixPath(const SocketAddress& address) {
  const char* path = UnixPath(address);
  struct stat file;
  if (lstat(path, &file) != 0) return absl::OkStatus();
  if (!S_ISSOCK(file.st_mode)) {
    return absl::AlreadyExistsError(absl::StrCat("bind ", path, ": the file is not a socket"));
  }
  if (IsAlive(address)) {
    return absl::AlreadyExistsError(absl::StrCat("bind ", path, ": another process listens there"));
  }
  if (unlink(path) != 0) return ErrnoStatus(errno, absl::StrCat("unlink ", path));
  return absl::OkStatus();
}

absl::Status Validate(const SocketAddress& address, const ListenOptions& options) {
  const std::string call = absl::StrCat("listen ", address.ToString());
  if (address.storage.ss_family == AF_UNIX) {
    if (!options.reuse_port) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(call, ": reuse_port is for TCP"));
  }
  if (options.unix_mode.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(call, ": unix_mode is for UNIX paths"));
  }
  // sin_port and sin6_port lie at the same place.
  if (options.reuse_port && reinterpret_cast<const sockaddr_in&>(address.storage).sin_port == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(call, ": reuse_port needs a port; 0 may pick one that others share"));
  }
  return absl::OkStatus();
}

// Connections inherit it. On loopback there is no bandwidth to be found out and no queue to be kept
// short: BBR's pacing there costs a timer for each segment and slows large answers down. Reno is in
// every kernel and allowed to everybody (tcp(7)).
void UseRenoOnLoopback(int fd, const SocketAddress& address) {
  constexpr char kReno[] = "reno";
  if (address.IsLoopback()) setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kReno, sizeof(kReno) - 1);
}

// Connections inherit it, which spares each a system call. Fails on UNIX sockets: fine.
void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

absl::Status SetTcpOptions(int fd, const SocketAddress& address, const ListenOptions& options) {
  const int on = 1;
  if (options.reuse_address) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (options.reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
    return absl::UnimplementedError(
        absl::StrCat("listen ", address.ToString(), ": this kernel has no SO_REUSEPORT"));
  }
  if (address.storage.ss_family == AF_INET6) {
    const int v6_only = options.v6_only ? 1 : 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
  }
  UseRenoOnLoopback(fd, address);
  if (options.defer_accept > absl::ZeroDuration()) SetDeferAccept(fd, options.defer_accept);
  SetNoDelay(fd);  // before listen(2): whoever connects before Adopt() has it, too
  return SetKeepAlive(fd, options.keep_alive_idle);
}

absl::Status BindAndListen(int fd, const SocketAddress& address, const ListenOptions& options) {
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
    return ErrnoStatus(errno, absl::StrCat("bind ", address.ToString()));
  }
  // Between bind(2) and listen(2): nobody can connect yet, whatever the umask has let through.
  const bool unix_path = address.storage.ss_family == AF_UNIX;
  const char* call = "chmod";
  int failed = options.unix_mode.has_value() ? chmod(UnixPath(address), *options.unix_mode) : 0;
  if (failed == 0) {
    call = "listen";
    failed = listen(fd, options.backlog);
  }
  if (failed == 0) return absl::OkStatus();
  absl::Status status = ErrnoStatus(errno, absl::StrCat(call, " ", address.ToString()));
  if (unix_path) unlink(UnixPath(address));
  return status;
}

}  // namespace

void SetDeferAccept(int fd, absl::Duration silence) {
  const int seconds = static_cast<int>(absl::ToInt64Seconds(absl::Ceil(silence, absl::Seconds(1))));
  setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

absl::StatusOr<Listener> Listener::Listen(std::string_view address, const ListenOptions& options) {
  const absl::StatusOr<SocketAddress> parsed = SocketAddress::Parse(address, "listen address");
  if (!parsed.ok()) return parsed.status();
  const absl::StatusOr<int> fd = BindListener(*parsed, options);
  if (!fd.ok()) return fd.status();
  return Adopt(*fd);
}

absl::StatusOr<Listener> Listener::Adopt(int fd, int accept_batch) {
  Listener listener(fd, std::max(accept_batch, 1));
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl(O_NONBLOCK)");
  }
  SetNoDelay(fd);
  return listener;
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), accept_batch_(other.accept_batch_) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    accept_batch_ = other.accept_batch_;
  }
  return *this;
}

absl::Status Listener::AwaitConnection() {
  if (fd_ < 0) return absl::AbortedError("the listener is closed");
  if (left_in_batch_ > 0) return absl::OkStatus();
  const int fd = fd_;
  if (absl::Status added = Table().Register(fd, Poller::Mode::kSharedListener); !added.ok()) {
    return added;
  }
  absl::Status ready = Table().Await(fd, Direction::kRead, WaitFor::Kind::kAccept);
  if (fd_ == fd) Table().Unregister(fd);
  if (ready.ok()) left_in_batch_ = accept_batch_;
  return ready;
}

absl::StatusOr<Socket> Listener::Accept(SocketAddress* peer) {
  for (;;) {
    if (absl::Status ready = AwaitConnection(); !ready.ok()) return ready;
    const int fd = AcceptNow(fd_, peer);
    if (fd >= 0) {
      --left_in_batch_;
      return Socket::AdoptAccepted(fd);
    }
    if (errno == EINTR || IsClientsError(errno)) continue;
    left_in_batch_ = 0;
    if (errno != EAGAIN) return ErrnoStatus(errno, "accept4");
  }
}

void Listener::Close() {
  if (fd_ < 0) return;
  const int fd = std::exchange(fd_, -1);
  if (Hub::Current() != nullptr) Table().Unregister(fd);
  close(fd);
}

absl::StatusOr<int> BindListener(const SocketAddress& address, const ListenOptions& options) {
  const bool unix_path = address.storage.ss_family == AF_UNIX;
  if (absl::Status valid = Validate(address, options); !valid.ok()) return valid;
  if (unix_path) {
    if (absl::Status removed = RemoveStaleUnixPath(address); !removed.ok()) return removed;
  }
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  absl::Status status = unix_path ? absl::OkStatus() : SetTcpOptions(fd, address, options);
  if (status.ok()) status = BindAndListen(fd, address, options);
  if (status.ok()) return fd;
  close(fd);
  return status;
}

}  // namespace grove
