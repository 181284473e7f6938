#include "runtime/io/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grove {
namespace {

constexpr std::string_view kUnix = "unix:";

// A text, and what it was to be.
struct Source {
  std::string_view text;
  std::string_view what;
};

absl::Status Bad(const Source& source, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "'%s' is no %s: %s (want HOST:PORT, [IPV6]:PORT or unix:PATH, as in 127.0.0.1:8090)",
      source.text, source.what, why));
}

// Digits alone: SimpleAtoi takes signs and blanks.
std::optional<uint16_t> ParsePort(std::string_view text) {
  uint32_t number = 0;
  if (text.size() > 5 || text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  if (!absl::SimpleAtoi(std::string(text), &number) || number > UINT16_MAX) return std::nullopt;
  return static_cast<uint16_t>(number);
}

absl::StatusOr<SocketAddress> ParseUnix(const Source& source) {
  const std::string_view path = source.text.substr(kUnix.size());
  if (path.empty()) return Bad(source, "the path is empty");
  if (path.find('\0') != path.npos) return Bad(source, "NUL in the path");
  if (path.size() > SocketAddress::kUnixPathMax) {
    return Bad(source, absl::StrFormat("the path has %d bytes, and at most %d fit into a UNIX "
                                       "socket's address",
                                       path.size(), SocketAddress::kUnixPathMax));
  }
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  local.sun_family = AF_UNIX;
  path.copy(local.sun_path, path.size());
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

}  // namespace

std::string SocketAddress::ToString() const {
  if (const std::optional<IpAddress> ip = host(); ip.has_value()) {
    if (family() == AF_INET) return absl::StrCat(ip->ToString(), ":", port());
    return absl::StrCat("[", ip->ToString(), "]:", port());
  }
  return absl::StrFormat("unix:%s", path());
}

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text, std::string_view what) {
  const Source source{text, what};
  if (text.starts_with(kUnix)) return ParseUnix(source);
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return Bad(source, "it has no port");
  const std::string_view port_text = text.substr(colon + 1);
  const std::optional<uint16_t> port = ParsePort(port_text);
  if (!port.has_value()) {
    return Bad(source, absl::StrFormat("port '%s' is no number from 0 to 65535", port_text));
  }
  std::string_view name = text.substr(0, colon);
  const bool bracketed = name.starts_with('[') && name.ends_with(']');
  if (bracketed) name = name.substr(1, name.size() - 2);
  const std::optional<IpAddress> host = IpAddress::Parse(name == "localhost" ? "127.0.0.1" : name);
  if (!host.has_value()) {
    return Bad(source, absl::StrFormat("host '%s' is neither an IP address nor localhost", name));
  }
  if (bracketed != (host->family() == AF_INET6)) {
    return Bad(source, "brackets belong around an IPv6 address, and only there");
  }
  return Of(*host, *port);
}

SocketAddress SocketAddress::Of(const IpAddress& host, uint16_t port) {
  SocketAddress address;
  address.storage.ss_family = static_cast<sa_family_t>(host.family());
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (host.family() == AF_INET) {
    std::memcpy(&v4.sin_addr, host.bytes().data(), sizeof(v4.sin_addr));
    address.length = sizeof(v4);
  } else {
    std::memcpy(&v6.sin6_addr, host.bytes().data(), sizeof(v6.sin6_addr));
    address.length = sizeof(v6);
  }
  address.set_port(port);
  return address;
}

SocketAddress SocketAddress::OfLocal(int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) {
    return SocketAddress();
  }
  return address;
}

// The port stands at the same place in both families.
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));

uint16_t SocketAddress::port() const {
  if (family() != AF_INET && family() != AF_INET6) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

void SocketAddress::set_port(uint16_t port) {
  reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
}

std::string_view SocketAddress::path() const {
  if (family() != AF_UNIX || length <= offsetof(sockaddr_un, sun_path)) return {};
  const auto& local = reinterpret_cast<const sockaddr_un&>(storage);
  return {local.sun_path, strnlen(local.sun_path, sizeof(local.sun_path))};
}

bool SocketAddress::IsLoopback() const {
  const std::optional<IpAddress> ip = host();
  return ip.has_value() && ip->IsLoopback();
}

}  // namespace grove
