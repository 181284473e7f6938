// DatagramSocket: UDP or UNIX datagrams, used from fibers.
//
// Calls look blocking and park only their fiber. Bounds come from Timeout scopes. One fiber may
// receive while another sends. Messages keep their boundaries; as the network does, UDP may drop
// them. Errors as of Socket; kUnavailable from a connected one also tells of an earlier message
// that nobody was there for. Hub thread only.
#ifndef GROVE_RUNTIME_IO_DATAGRAM_H_
#define GROVE_RUNTIME_IO_DATAGRAM_H_

#include <cstddef>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/socket.h"

namespace grove {

struct Datagram {
  size_t size = 0;       // bytes in the receiver's buffer
  size_t full_size = 0;  // as sent: what is above `size` is lost
  SocketAddress from;    // unnamed for a UNIX sender that has not bound

  bool truncated() const { return full_size > size; }
};

class DatagramSocket {
 public:
  // Receives what is sent to `address` (port 0: one that is free). The caller removes a UNIX path.
  static absl::StatusOr<DatagramSocket> Bind(const SocketAddress& address);
  // For one peer: Send() goes there, and only its messages are received.
  static absl::StatusOr<DatagramSocket> Connect(const SocketAddress& peer);
  // Binds this one's peer, too: for a UNIX client that wants answers, or a chosen UDP source.
  absl::Status ConnectTo(const SocketAddress& peer);

  // Whole or not at all. kInvalidArgument: longer than the protocol can carry. kResourceExhausted:
  // the queue of a UNIX receiver is full, which the kernel gives no event for: try again later; to
  // wait instead, connect. **Parks** while the send buffer is full.
  absl::Status SendTo(std::string_view message, const SocketAddress& to);
  // To the connected peer. kInvalidArgument if there is none.
  absl::Status Send(std::string_view message);
  // The next message, possibly empty. Requires: `buffer` not empty. **Parks.**
  absl::StatusOr<Datagram> ReceiveFrom(std::span<char> buffer);
  // Wakes whoever waits on it. No effect if closed.
  void Close() { socket_.Close(); }

  bool open() const { return socket_.open(); }
  int fd() const { return socket_.fd(); }
  SocketAddress LocalAddress() const;

 private:
  explicit DatagramSocket(Socket socket) : socket_(std::move(socket)) {}
  static absl::StatusOr<DatagramSocket> Open(int family);
  absl::Status SendMessage(std::string_view message, const SocketAddress* to);

  Socket socket_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_DATAGRAM_H_
