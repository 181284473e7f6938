// ListenAddress, AddressRange, IsPublicAddress: what the server knows about network addresses.
//
// Texts to socket addresses and back, membership in CIDR ranges, and whether an address is one that
// the public Internet routes to. Resolves no names and opens no sockets.
// Values; any thread.

#ifndef GROVE_SERVER_CONFIG_ADDRESS_H_
#define GROVE_SERVER_CONFIG_ADDRESS_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grove::config {

// sun_path holds this many bytes beside its closing NUL.
inline constexpr size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;

// Where a listener binds: "127.0.0.1:8090", "[::1]:8090", "localhost:8090" (which is 127.0.0.1) or
// "unix:/path". Port 0 asks the kernel for a free one.
class ListenAddress {
 public:
  enum class Kind { kTcp4, kTcp6, kUnix };

  // kInvalidArgument with what is wrong and what would be right.
  static absl::StatusOr<ListenAddress> Parse(absl::string_view text);

  // From getsockname(), for the port that the kernel chose.
  static absl::StatusOr<ListenAddress> FromSockaddr(const sockaddr* address, socklen_t length);

  Kind kind() const { return kind_; }
  uint16_t port() const { return port_; }            // 0 for kUnix.
  const std::string& path() const { return path_; }  // Empty but for kUnix.

  // Reachable from this machine alone: 127.0.0.0/8, ::1, their v4-mapped form, or unix:.
  bool IsLoopback() const;

  // The canonical text; Parse() reads it back.
  std::string Format() const;

  // Fills *out and returns the length that bind() wants.
  socklen_t ToSockaddr(sockaddr_storage* out) const;

  friend bool operator==(const ListenAddress& a, const ListenAddress& b) {
    return a.Format() == b.Format();
  }

 private:
  ListenAddress() = default;

  Kind kind_ = Kind::kTcp4;
  std::array<uint8_t, 16> host_ = {};  // Network order; the first 4 bytes for kTcp4.
  uint16_t port_ = 0;
  std::string path_;
};

// A CIDR range: "10.0.0.0/8", "fd00::/8"; an address without a prefix is a range of one.
// A v4-mapped range or address counts as the IPv4 one in it.
class AddressRange {
 public:
  // kInvalidArgument for bad syntax, and for bits set beyond the prefix ("10.1.0.0/8").
  static absl::StatusOr<AddressRange> Parse(absl::string_view text);

  // False for other families than AF_INET and AF_INET6.
  bool Contains(const sockaddr* address) const;

  std::string Format() const;

 private:
  AddressRange() = default;

  int family_ = AF_INET;
  std::array<uint8_t, 16> prefix_ = {};
  int prefix_bits_ = 0;
};

// True only for globally routable unicast addresses of AF_INET and AF_INET6. Whatever the IANA
// special-purpose registries (RFC 6890) list is refused, with the few globally reachable exceptions
// inside 192.0.0.0/24 and 2001::/23: nobody fetches from those. A v4-mapped or NAT64 (RFC 6052)
// address counts as the IPv4 address in it.
bool IsPublicAddress(const sockaddr* address);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_ADDRESS_H_
