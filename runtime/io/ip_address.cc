#include "runtime/io/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "absl/strings/str_cat.h"

namespace grove {
namespace {

constexpr IpAddress::Bytes kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

bool Agree(const IpAddress::Bytes& a, const IpAddress::Bytes& b, int bits) {
  const int whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const uint8_t mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

IpAddress LastFourBytes(const IpAddress::Bytes& bytes) {
  IpAddress::Bytes last = {};
  std::copy(bytes.begin() + 12, bytes.end(), last.begin());
  return IpAddress(AF_INET, last);
}

struct Range {
  IpAddress::Bytes prefix;
  int bits;
};

bool InAny(const IpAddress::Bytes& bytes, std::span<const Range> ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&bytes](const Range& range) {
    return Agree(bytes, range.prefix, range.bits);
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

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  char name[INET6_ADDRSTRLEN];
  // inet_pton stops at a NUL, and would take what stands before it for the whole.
  if (text.size() >= sizeof(name) || text.find('\0') != text.npos) return std::nullopt;
  text.copy(name, text.size());
  name[text.size()] = '\0';
  Bytes bytes = {};
  if (inet_pton(AF_INET, name, bytes.data()) == 1) return IpAddress(AF_INET, bytes);
  if (inet_pton(AF_INET6, name, bytes.data()) == 1) return IpAddress(AF_INET6, bytes);
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::Of(const sockaddr* address) {
  sa_family_t family = AF_UNSPEC;
  std::memcpy(&family, &address->sa_family, sizeof(family));
  const auto* raw = reinterpret_cast<const char*>(address);
  Bytes bytes = {};
  if (family == AF_INET) {
    std::memcpy(bytes.data(), raw + offsetof(sockaddr_in, sin_addr), sizeof(in_addr));
  } else if (family == AF_INET6) {
    std::memcpy(bytes.data(), raw + offsetof(sockaddr_in6, sin6_addr), sizeof(in6_addr));
  } else {
    return std::nullopt;
  }
  return IpAddress(family, bytes);
}

std::string IpAddress::ToString() const {
  // inet_ntop(3) goes by way of sprintf: a microsecond for each connection.
  if (family_ == AF_INET) {
    return absl::StrCat(bytes_[0], ".", bytes_[1], ".", bytes_[2], ".", bytes_[3]);
  }
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family_, bytes_.data(), text, sizeof(text)) == nullptr ? "" : text;
}

IpAddress IpAddress::Unmapped() const {
  const bool mapped = family_ == AF_INET6 && Agree(bytes_, kMappedPrefix, kMappedBits);
  return mapped ? LastFourBytes(bytes_) : *this;
}

bool IpAddress::SharesPrefix(const IpAddress& other, int bits) const {
  return family_ == other.family_ && Agree(bytes_, other.bytes_, bits);
}

bool IpAddress::IsLoopback() const {
  const IpAddress real = Unmapped();
  if (real.family_ == AF_INET) return real.bytes_[0] == IN_LOOPBACKNET;
  return Agree(bytes_, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128);
}

bool IpAddress::IsPublic() const {
  IpAddress real = Unmapped();
  if (real.family_ == AF_INET6 && Agree(real.bytes_, kNat64.prefix, kNat64.bits)) {
    real = LastFourBytes(real.bytes_);
  }
  if (real.family_ == AF_INET) return !InAny(real.bytes_, kSpecial4);
  return Agree(real.bytes_, kGlobal6.prefix, kGlobal6.bits) && !InAny(real.bytes_, kSpecial6);
}

}  // namespace grove
