// SocketAddress: a peer's or own address in any family.
//
// Owns no descriptor and looks no names up.
#ifndef GROVE_RUNTIME_IO_SOCKET_ADDRESS_H_
#define GROVE_RUNTIME_IO_SOCKET_ADDRESS_H_

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove {

// A peer's or own address in any family.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  // "127.0.0.1:80", "[::1]:80", "unix:/path" ("unix:" for an unnamed one).
  std::string ToString() const;
  // Of what ToString() gives. kInvalidArgument: anything else. Names are not looked up here:
  // dial_host.h.
  static absl::StatusOr<SocketAddress> Parse(std::string_view text);
  // What `fd` is bound to (getsockname(2)); of no family if it is no socket.
  static SocketAddress OfLocal(int fd);
  // An IP address of this machine's loopback: 127.0.0.0/8 (RFC 1122 3.2.1.3), also mapped into
  // IPv6, and ::1.
  bool IsLoopback() const;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_SOCKET_ADDRESS_H_
