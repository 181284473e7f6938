// IpAddress: the address of a host, of either family, without a port.
//
// From text and back, from the kernel's form, and what the address says about who can reach it.
// Resolves no names and opens no sockets.
// A value; any thread.
#ifndef GROVE_RUNTIME_IO_IP_ADDRESS_H_
#define GROVE_RUNTIME_IO_IP_ADDRESS_H_

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace grove {

class IpAddress {
 public:
  using Bytes = std::array<uint8_t, 16>;  // network order; IPv4 fills the first 4

  // `bytes` beyond the family's are 0.
  IpAddress(int family, const Bytes& bytes) : family_(family), bytes_(bytes) {}
  // All of `text`, as inet_pton(3) takes it: no brackets, no zone. Allocates nothing.
  static std::optional<IpAddress> Parse(std::string_view text);
  // Of AF_INET and AF_INET6, from any alignment.
  static std::optional<IpAddress> Of(const sockaddr* address);

  int family() const { return family_; }  // AF_INET or AF_INET6
  int bits() const { return family_ == AF_INET ? 32 : 128; }
  const Bytes& bytes() const { return bytes_; }
  // The canonical text; Parse() reads it back.
  std::string ToString() const;

  // The kernel connects a v4-mapped address over IPv4 (RFC 4291 2.5.5.2), so it is that address.
  IpAddress Unmapped() const;
  // Whether both are of one family and agree in their first `bits`.
  bool SharesPrefix(const IpAddress& other, int bits) const;
  // 127.0.0.0/8 (RFC 1122 3.2.1.3), also mapped into IPv6, and ::1.
  bool IsLoopback() const;
  // True only for globally routable unicast addresses. Whatever the IANA special-purpose registries
  // (RFC 6890) list is refused, with the few globally reachable exceptions inside 192.0.0.0/24 and
  // 2001::/23: nobody fetches from those. A v4-mapped or NAT64 (RFC 6052) address counts as the
  // IPv4 address in it.
  bool IsPublic() const;

 private:
  int family_;
  Bytes bytes_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_IP_ADDRESS_H_
