// SocketAddress: a peer's or own address in any family.
//
// The one grammar of addresses: what listens, what dials and what stands in a config is read here.
// Owns no descriptor and looks no names up.
// A value; any thread.
#ifndef GROVE_RUNTIME_IO_SOCKET_ADDRESS_H_
#define GROVE_RUNTIME_IO_SOCKET_ADDRESS_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/io/ip_address.h"

namespace grove {

// A peer's or own address in any family.
struct SocketAddress {
  // sun_path holds this many bytes beside its closing NUL.
  static constexpr size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;

  sockaddr_storage storage{};
  socklen_t length = 0;

  // "127.0.0.1:80", "[::1]:80", "unix:/path" ("unix:" for an unnamed one).
  std::string ToString() const;
  // Of what ToString() gives, and of "localhost:80", which is 127.0.0.1 (RFC 6761 6.3).
  // kInvalidArgument: anything else, which is no `what`, with why and with what would be right.
  // Other names are not looked up here: dial_host.h.
  static absl::StatusOr<SocketAddress> Parse(std::string_view text,
                                             std::string_view what = "address");
  static SocketAddress Of(const IpAddress& host, uint16_t port);
  // What `fd` is bound to (getsockname(2)); of no family if it is no socket.
  static SocketAddress OfLocal(int fd);

  int family() const { return storage.ss_family; }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::optional<IpAddress> host() const { return IpAddress::Of(raw()); }
  // Of an IP address; 0 else.
  uint16_t port() const;
  // For an IP address.
  void set_port(uint16_t port);
  // Of a UNIX socket that is bound to a file; empty else.
  std::string_view path() const;

  // An IP address of this machine's loopback: IpAddress::IsLoopback().
  bool IsLoopback() const;
  // Reachable from this machine alone: loopback, or a UNIX socket.
  bool IsOfThisMachineAlone() const { return family() == AF_UNIX || IsLoopback(); }

  friend bool operator==(const SocketAddress& a, const SocketAddress& b) {
    return a.ToString() == b.ToString();
  }
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_SOCKET_ADDRESS_H_
