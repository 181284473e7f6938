#include "server/config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace grove::config {
namespace {

using Bytes = std::array<uint8_t, 16>;

// An address without its port; IPv4 fills the first 4 bytes.
struct Host {
  int family = AF_INET;
  Bytes bytes = {};
};

int BitsOf(int family) {
  return family == AF_INET ? 32 : 128;
}

constexpr Bytes kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

bool SharePrefix(const Bytes& a, const Bytes& b, int bits) {
  const int whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const uint8_t mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

Host LastFourBytes(const Bytes& bytes) {
  Host host;
  std::copy(bytes.begin() + 12, bytes.end(), host.bytes.begin());
  return host;
}

// The kernel connects a v4-mapped address over IPv4 (RFC 4291 2.5.5.2), so it is that address.
Host Unmapped(const Host& host) {
  if (host.family == AF_INET6 && SharePrefix(host.bytes, kMappedPrefix, kMappedBits)) {
    return LastFourBytes(host.bytes);
  }
  return host;
}

std::optional<Host> ParseHost(absl::string_view text) {
  const std::string name(text);
  // inet_pton stops at a NUL, and would take what stands before it for the whole.
  if (name.find('\0') != std::string::npos) return std::nullopt;
  Host host;
  if (inet_pton(AF_INET, name.c_str(), host.bytes.data()) == 1) return host;
  host.family = AF_INET6;
  if (inet_pton(AF_INET6, name.c_str(), host.bytes.data()) == 1) return host;
  return std::nullopt;
}

// From any alignment: callers hold sockaddr_storage, buffers of the kernel or of libcurl.
std::optional<Host> HostOf(const sockaddr* address) {
  Host host;
  host.family = address->sa_family;
  if (host.family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof(in));
    std::memcpy(host.bytes.data(), &in.sin_addr, sizeof(in.sin_addr));
    return host;
  }
  if (host.family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof(in6));
    std::memcpy(host.bytes.data(), &in6.sin6_addr, sizeof(in6.sin6_addr));
    return host;
  }
  return std::nullopt;
}

std::string FormatHost(int family, const Bytes& bytes) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family, bytes.data(), text, sizeof(text)) == nullptr ? "" : text;
}

absl::Status BadAddress(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no listen address: ", why,
                   " (want HOST:PORT, [IPV6]:PORT or unix:PATH, as in 127.0.0.1:8090)"));
}

// Digits alone: SimpleAtoi takes signs and blanks. Leaves *out alone where it fails.
bool ParseDigits(absl::string_view text, int max, int* out) {
  if (text.empty() || text.size() > 5) return false;
  if (text.find_first_not_of("0123456789") != absl::string_view::npos) return false;
  int number = 0;
  if (!absl::SimpleAtoi(text, &number) || number > max) return false;
  *out = number;
  return true;
}

// "1.2.3.4:80" or "[::1]:80" as host and port texts; false where there is no such split.
bool SplitHostPort(absl::string_view text, absl::string_view* host, absl::string_view* port) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return false;
  *host = text.substr(0, colon);
  *port = text.substr(colon + 1);
  return true;
}

struct Range {
  Bytes prefix;
  int bits;
};

bool InAny(const Bytes& bytes, const Range* begin, const Range* end) {
  return std::any_of(begin, end, [&bytes](const Range& range) {
    return SharePrefix(bytes, range.prefix, range.bits);
  });
}

// IANA IPv4 Special-Purpose Address Registry (RFC 6890), and multicast (RFC 5771).
constexpr Range kSpecial4[] = {
    {{0}, 8},              // "This network", RFC 791 3.2.
    {{10}, 8},             // Private, RFC 1918.
    {{100, 64}, 10},       // Carrier-grade NAT, RFC 6598; some clouds keep metadata there.
    {{127}, 8},            // Loopback, RFC 1122 3.2.1.3.
    {{169, 254}, 16},      // Link-local, RFC 3927; the metadata service of most clouds.
    {{172, 16}, 12},       // Private, RFC 1918.
    {{192, 0, 0}, 24},     // IETF protocol assignments, RFC 6890 2.1.
    {{192, 0, 2}, 24},     // Documentation, RFC 5737.
    {{192, 88, 99}, 24},   // 6to4 relay anycast, deprecated by RFC 7526.
    {{192, 168}, 16},      // Private, RFC 1918.
    {{198, 18}, 15},       // Benchmarking, RFC 2544.
    {{198, 51, 100}, 24},  // Documentation, RFC 5737.
    {{203, 0, 113}, 24},   // Documentation, RFC 5737.
    {{224}, 4},            // Multicast, RFC 5771.
    {{240}, 4},            // Reserved, RFC 1112 4; with the broadcast address, RFC 919 7.
};

// Global unicast is 2000::/3 alone (RFC 4291 2.4 and IANA's allocation), which refuses ::, ::1,
// v4-compatible, 64:ff9b:1::/48, 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10 and ff00::/8
// without naming them. These parts of it are special after all:
constexpr Range kGlobal6 = {{0x20}, 3};
constexpr Range kSpecial6[] = {
    {{0x20, 0x01, 0x00}, 23},        // IETF protocol assignments, RFC 2928: Teredo, ORCHID, ….
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // Documentation, RFC 3849.
    {{0x20, 0x02}, 16},              // 6to4, RFC 3056: an IPv4 address by a relay.
    {{0x3f, 0xff, 0x00}, 20},        // Documentation, RFC 9637.
};

// NAT64's well-known prefix, RFC 6052 2.1. On networks of IPv6 alone DNS64 gives every IPv4 host
// such an address, so it is judged by the IPv4 address in it.
constexpr Range kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};

}  // namespace

absl::StatusOr<ListenAddress> ListenAddress::Parse(absl::string_view text) {
  ListenAddress address;
  absl::string_view path = text;
  if (absl::ConsumePrefix(&path, "unix:")) {
    if (path.empty()) return BadAddress(text, "the path is empty");
    if (path.find('\0') != absl::string_view::npos) return BadAddress(text, "NUL in the path");
    if (path.size() > kUnixPathMax) {
      return BadAddress(text, absl::StrCat("the path has ", path.size(), " bytes, and at most ",
                                           kUnixPathMax, " fit into a UNIX socket's address"));
    }
    address.kind_ = Kind::kUnix;
    address.path_ = std::string(path);
    return address;
  }

  absl::string_view host_text;
  absl::string_view port_text;
  if (!SplitHostPort(text, &host_text, &port_text)) return BadAddress(text, "it has no port");
  int port = 0;
  if (!ParseDigits(port_text, 65535, &port)) {
    return BadAddress(text, absl::StrCat("port '", port_text, "' is no number from 0 to 65535"));
  }
  address.port_ = static_cast<uint16_t>(port);

  const bool bracketed = absl::StartsWith(host_text, "[") && absl::EndsWith(host_text, "]");
  if (bracketed) host_text = host_text.substr(1, host_text.size() - 2);
  const std::optional<Host> host = ParseHost(host_text == "localhost" ? "127.0.0.1" : host_text);
  if (!host.has_value()) {
    return BadAddress(text, absl::StrCat("host '", host_text,
                                         "' is neither an IP address nor "
                                         "localhost"));
  }
  if (bracketed != (host->family == AF_INET6)) {
    return BadAddress(text, "brackets belong around an IPv6 address, and only there");
  }
  address.kind_ = bracketed ? Kind::kTcp6 : Kind::kTcp4;
  address.host_ = host->bytes;
  return address;
}

absl::StatusOr<ListenAddress> ListenAddress::FromSockaddr(const sockaddr* address,
                                                          socklen_t length) {
  ListenAddress result;
  if (length >= sizeof(sa_family_t) && address->sa_family == AF_UNIX) {
    const size_t room = std::min<size_t>(length, sizeof(sockaddr_un));
    sockaddr_un un = {};
    std::memcpy(&un, address, room);
    result.kind_ = Kind::kUnix;
    result.path_.assign(un.sun_path, strnlen(un.sun_path, sizeof(un.sun_path)));
    if (result.path_.empty()) return absl::InvalidArgumentError("a UNIX socket without a path");
    return result;
  }
  const bool is4 = length >= sizeof(sockaddr_in) && address->sa_family == AF_INET;
  const bool is6 = length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6;
  if (!is4 && !is6) return absl::InvalidArgumentError("not an address of IPv4, IPv6 or UNIX");
  result.kind_ = is4 ? Kind::kTcp4 : Kind::kTcp6;
  result.host_ = HostOf(address)->bytes;
  // The port stands at the same place in both.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  in_port_t port = 0;
  std::memcpy(&port, reinterpret_cast<const char*>(address) + offsetof(sockaddr_in, sin_port),
              sizeof(port));
  result.port_ = ntohs(port);
  return result;
}

bool ListenAddress::IsLoopback() const {
  if (kind_ == Kind::kUnix) return true;
  const Host host = Unmapped({kind_ == Kind::kTcp4 ? AF_INET : AF_INET6, host_});
  if (host.family == AF_INET) return host.bytes[0] == 127;
  return SharePrefix(host.bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128);
}

std::string ListenAddress::Format() const {
  switch (kind_) {
    case Kind::kUnix:
      return absl::StrCat("unix:", path_);
    case Kind::kTcp4:
      return absl::StrCat(FormatHost(AF_INET, host_), ":", port_);
    case Kind::kTcp6:
      return absl::StrCat("[", FormatHost(AF_INET6, host_), "]:", port_);
  }
  return "";
}

socklen_t ListenAddress::ToSockaddr(sockaddr_storage* out) const {
  *out = {};
  if (kind_ == Kind::kUnix) {
    sockaddr_un un = {};
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path_.data(), path_.size());
    std::memcpy(out, &un, sizeof(un));
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size() + 1);
  }
  if (kind_ == Kind::kTcp4) {
    sockaddr_in in = {};
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    std::memcpy(&in.sin_addr, host_.data(), sizeof(in.sin_addr));
    std::memcpy(out, &in, sizeof(in));
    return sizeof(in);
  }
  sockaddr_in6 in6 = {};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port_);
  std::memcpy(&in6.sin6_addr, host_.data(), sizeof(in6.sin6_addr));
  std::memcpy(out, &in6, sizeof(in6));
  return sizeof(in6);
}

absl::StatusOr<AddressRange> AddressRange::Parse(absl::string_view text) {
  const auto bad = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no address range: ", why,
                                                   " (want ADDRESS/BITS, as in 10.0.0.0/8)"));
  };
  const size_t slash = text.find('/');
  const absl::string_view address = text.substr(0, slash);
  std::optional<Host> host = ParseHost(address);
  if (!host.has_value()) return bad(absl::StrCat("'", address, "' is no IP address"));
  int bits = BitsOf(host->family);
  if (slash != absl::string_view::npos && !ParseDigits(text.substr(slash + 1), bits, &bits)) {
    return bad(absl::StrCat("the prefix must be a number from 0 to ", bits));
  }
  if (bits >= kMappedBits && Unmapped(*host).family != host->family) {
    host = Unmapped(*host);
    bits -= kMappedBits;
  }

  AddressRange range;
  range.family_ = host->family;
  range.prefix_bits_ = bits;
  for (int bit = 0; bit < bits; ++bit) {
    range.prefix_[bit / 8] |= host->bytes[bit / 8] & (0x80 >> (bit % 8));
  }
  if (range.prefix_ != host->bytes) {
    return bad(absl::StrCat("it has bits beyond its prefix; did you mean ", range.Format(), "?"));
  }
  return range;
}

bool AddressRange::Contains(const sockaddr* address) const {
  std::optional<Host> host = HostOf(address);
  if (!host.has_value()) return false;
  host = Unmapped(*host);
  return host->family == family_ && SharePrefix(host->bytes, prefix_, prefix_bits_);
}

std::string AddressRange::Format() const {
  return absl::StrCat(FormatHost(family_, prefix_), "/", prefix_bits_);
}

bool IsPublicAddress(const sockaddr* address) {
  const std::optional<Host> given = HostOf(address);
  if (!given.has_value()) return false;
  Host host = Unmapped(*given);
  if (host.family == AF_INET6 && SharePrefix(host.bytes, kNat64.prefix, kNat64.bits)) {
    host = LastFourBytes(host.bytes);
  }
  if (host.family == AF_INET) {
    return !InAny(host.bytes, std::begin(kSpecial4), std::end(kSpecial4));
  }
  return SharePrefix(host.bytes, kGlobal6.prefix, kGlobal6.bits) &&
         !InAny(host.bytes, std::begin(kSpecial6), std::end(kSpecial6));
}

}  // namespace grove::config
