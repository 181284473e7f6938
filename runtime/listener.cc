#include "runtime/listener.h"

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
#include "runtime/hub.h"

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

// Whether somebody listens on this UNIX path.
bool IsAlive(const SocketAddress& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const int connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  const bool alive = connected == 0 || errno != ECONNREFUSED;
  close(fd);
  return alive;
}

// Removes the socket file that a dead process left, so that bind(2) can make it anew.
absl::Status RemoveStaleUnixPath(const SocketAddress& address) {
  const char* path = reinterpret_cast<const sockaddr_un&>(address.storage).sun_path;
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

}  // namespace

absl::StatusOr<Listener> Listener::Adopt(int fd, int accept_batch) {
  Listener listener(fd, std::max(accept_batch, 1));
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl(O_NONBLOCK)");
  }
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
  const int fd = fd_;
  if (absl::Status added = Table().Register(fd, Poller::Mode::kSharedListener); !added.ok()) {
    return added;
  }
  absl::Status ready = Table().Await(fd, Direction::kRead, WaitFor::Kind::kAccept);
  if (fd_ == fd) Table().Unregister(fd);
  return ready;
}

absl::StatusOr<Socket> Listener::Accept() {
  for (;;) {
    if (fd_ < 0) return absl::AbortedError("the listener is closed");
    if (left_in_batch_ == 0) {
      if (absl::Status ready = AwaitConnection(); !ready.ok()) return ready;
      left_in_batch_ = accept_batch_;
    }
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      --left_in_batch_;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // fails on UNIX sockets: fine
      return Socket::Adopt(fd);
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

absl::StatusOr<int> BindListener(const SocketAddress& address, int backlog) {
  const bool unix_path = address.storage.ss_family == AF_UNIX;
  if (unix_path) {
    if (absl::Status removed = RemoveStaleUnixPath(address); !removed.ok()) return removed;
  }
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  const int on = 1;
  if (!unix_path) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.storage.ss_family == AF_INET6)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  const char* call = "bind";
  int failed = bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  if (failed == 0) {
    call = "listen";
    failed = listen(fd, backlog);
  }
  if (failed == 0) return fd;
  absl::Status status = ErrnoStatus(errno, absl::StrCat(call, " ", address.ToString()));
  close(fd);
  return status;
}

}  // namespace grove
