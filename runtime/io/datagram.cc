#include "runtime/io/datagram.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

const sockaddr* Raw(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

absl::Status SendError(int error, size_t bytes) {
  if (error == EMSGSIZE) {
    return absl::InvalidArgumentError(
        absl::StrCat("a message of ", bytes, " bytes is longer than the protocol carries"));
  }
  if (error == EDESTADDRREQ || error == ENOTCONN) {
    return absl::InvalidArgumentError("send without a peer: connect, or name the receiver");
  }
  return ErrnoStatus(error, "sendto");
}

}  // namespace

absl::StatusOr<DatagramSocket> DatagramSocket::Open(int family) {
  const int fd = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  absl::StatusOr<Socket> socket = Socket::Adopt(fd);
  if (!socket.ok()) return socket.status();
  return DatagramSocket(*std::move(socket));
}

absl::StatusOr<DatagramSocket> DatagramSocket::Bind(const SocketAddress& address) {
  absl::StatusOr<DatagramSocket> bound = Open(address.storage.ss_family);
  if (!bound.ok()) return bound;
  if (bind(bound->fd(), Raw(address), address.length) == 0) return bound;
  if (errno == EADDRINUSE) {
    return absl::AlreadyExistsError(
        absl::StrFormat("bind %s: the address is in use", address.ToString()));
  }
  return ErrnoStatus(errno, absl::StrCat("bind ", address.ToString()));
}

absl::StatusOr<DatagramSocket> DatagramSocket::Connect(const SocketAddress& peer) {
  absl::StatusOr<DatagramSocket> connected = Open(peer.storage.ss_family);
  if (!connected.ok()) return connected;
  if (absl::Status status = connected->ConnectTo(peer); !status.ok()) return status;
  return connected;
}

absl::Status DatagramSocket::ConnectTo(const SocketAddress& peer) {
  if (connect(fd(), Raw(peer), peer.length) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("connect ", peer.ToString()));
}

absl::Status DatagramSocket::SendTo(std::string_view message, const SocketAddress& to) {
  return SendMessage(message, &to);
}

absl::Status DatagramSocket::Send(std::string_view message) {
  return SendMessage(message, nullptr);
}

absl::Status DatagramSocket::SendMessage(std::string_view message, const SocketAddress* to) {
  DescriptorTable& table = Hub::Current()->descriptors();
  for (;;) {
    absl::Status ready = table.Await(fd(), Direction::kWrite, WaitFor::Kind::kWrite);
    if (!ready.ok()) return ready;
    const ssize_t sent = sendto(fd(), message.data(), message.size(), MSG_NOSIGNAL,
                                to != nullptr ? Raw(*to) : nullptr, to != nullptr ? to->length : 0);
    if (sent >= 0) return absl::OkStatus();
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return SendError(errno, message.size());
    // poll(2) looks at the receiver's queue for a connected UNIX socket only: no edge would come.
    if (to != nullptr && to->storage.ss_family == AF_UNIX) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("the queue of %s is full", to->ToString()));
    }
    table.NotReady(fd(), Direction::kWrite);
  }
}

absl::StatusOr<Datagram> DatagramSocket::ReceiveFrom(std::span<char> buffer) {
  DescriptorTable& table = Hub::Current()->descriptors();
  for (;;) {
    absl::Status ready = table.Await(fd(), Direction::kRead, WaitFor::Kind::kRead);
    if (!ready.ok()) return ready;
    Datagram datagram;
    datagram.from.length = sizeof(datagram.from.storage);
    // With MSG_TRUNC the length is that of the message as sent.
    const ssize_t got =
        recvfrom(fd(), buffer.data(), buffer.size(), MSG_TRUNC,
                 reinterpret_cast<sockaddr*>(&datagram.from.storage), &datagram.from.length);
    if (got >= 0) {
      datagram.full_size = static_cast<size_t>(got);
      datagram.size = std::min(datagram.full_size, buffer.size());
      return datagram;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return ErrnoStatus(errno, "recvfrom");
    table.NotReady(fd(), Direction::kRead);
  }
}

SocketAddress DatagramSocket::LocalAddress() const {
  return SocketAddress::OfLocal(fd());
}

}  // namespace grove
