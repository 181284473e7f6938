#include "server/control/connection_gate.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/io/listener.h"
#include "server/log.h"

namespace grove::control {
namespace {

int64_t MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// accept(2) reports errors of the connection that it takes: they are that client's.
bool IsLocalError(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

std::string PeerOf(int fd) {
  SocketAddress peer;
  peer.length = sizeof(peer.storage);
  getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length);
  return peer.ToString();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionGate>> ConnectionGate::Bind(const std::string& listen,
                                                                     size_t connections_max) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(listen);
  if (!address.ok()) return address.status();
  // As gRPC binds: [::] takes IPv4 too.
  absl::StatusOr<int> listener = BindListener(*address, {.v6_only = false});
  if (!listener.ok()) return listener.status();
  const int wake = eventfd(0, EFD_CLOEXEC);
  if (wake < 0) {
    close(*listener);
    return absl::ResourceExhaustedError(absl::StrCat("eventfd: ", strerror(errno)));
  }
  return std::unique_ptr<ConnectionGate>(new ConnectionGate(*listener, wake, connections_max));
}

ConnectionGate::ConnectionGate(int listener, int wake, size_t connections_max)
    : listener_(listener),
      wake_(wake),
      connections_max_(connections_max),
      address_(SocketAddress::OfLocal(listener)) {}

void ConnectionGate::Start(Take take) {
  take_ = std::move(take);
  thread_ = std::thread([this] { Run(); });
}

void ConnectionGate::Stop() {
  if (std::exchange(stopped_, true)) return;
  eventfd_write(wake_, 1);
  if (thread_.joinable()) thread_.join();
  if (!address_.path().empty()) unlink(std::string(address_.path()).c_str());
  close(listener_);
  close(wake_);
}

void ConnectionGate::Run() {
  pthread_setname_np(pthread_self(), "grpc-accept");
  while (AwaitConnection()) AcceptOne();
}

bool ConnectionGate::AwaitConnection() {
  for (;;) {
    pollfd fds[] = {{.fd = wake_, .events = POLLIN}, {.fd = listener_, .events = POLLIN}};
    const bool counts = sockets_.count() > 0;
    const int ready =
        poll(fds, 2, counts ? static_cast<int>(absl::ToInt64Milliseconds(kGateCountEvery)) : -1);
    if (ready > 0 && fds[0].revents != 0) return false;
    if (MonotonicNow() - counted_at_ns_ >= absl::ToInt64Nanoseconds(kGateCountEvery)) Count();
    if (ready > 0) return true;
  }
}

void ConnectionGate::AcceptOne() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return OnAcceptFailed(errno);
  if (!HasPlace()) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    if (const std::optional<int64_t> connections = refused_line_.Admit()) {
      Log(LogLevel::kWarning, "too many gRPC connections: further ones are closed",
          {{"open", sockets_.count()}, {"peer", PeerOf(fd)}, {"connections", *connections}});
    }
    close(fd);
    return;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // fails on UNIX sockets: fine
  sockets_.Add(fd);
  open_.store(static_cast<int64_t>(sockets_.count()), std::memory_order_relaxed);
  take_(fd);
}

void ConnectionGate::OnAcceptFailed(int error) {
  if (!IsLocalError(error)) return;
  if (const std::optional<int64_t> times = failed_line_.Admit()) {
    Log(LogLevel::kError, "cannot accept gRPC connections",
        {{"error", strerror(error)}, {"times", *times}});
  }
  Pause(kGateRetry);
}

bool ConnectionGate::HasPlace() {
  if (sockets_.count() < connections_max_) return true;
  const bool old =
      MonotonicNow() - counted_at_ns_ >= absl::ToInt64Nanoseconds(kGateCountWhenFullEvery);
  if (old) Count();
  return sockets_.count() < connections_max_;
}

void ConnectionGate::Count() {
  sockets_.ForgetClosed();
  counted_at_ns_ = MonotonicNow();
  open_.store(static_cast<int64_t>(sockets_.count()), std::memory_order_relaxed);
}

bool ConnectionGate::Pause(absl::Duration duration) {
  pollfd wake = {.fd = wake_, .events = POLLIN};
  return poll(&wake, 1, static_cast<int>(absl::ToInt64Milliseconds(duration))) == 0;
}

}  // namespace grove::control
