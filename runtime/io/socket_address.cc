#include "runtime/io/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grove {
namespace {

constexpr std::string_view kUnix = "unix:";

absl::Status NoAddress(std::string_view text) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "\"%s\" is no address: 127.0.0.1:80, [::1]:80 and unix:/path are of the forms there are",
      text));
}

bool ParsePort(std::string_view text, uint16_t& port) {
  uint32_t number = 0;
  if (text.find_first_not_of("0123456789") != text.npos) return false;  // SimpleAtoi takes " +80"
  if (!absl::SimpleAtoi(std::string(text), &number) || number > UINT16_MAX) return false;
  port = static_cast<uint16_t>(number);
  return true;
}

absl::StatusOr<SocketAddress> ParseUnix(std::string_view path) {
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  if (path.empty() || path.size() >= sizeof(local.sun_path)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "\"unix:%s\": a UNIX path has 1 to %d bytes (unix(7))", path, sizeof(local.sun_path) - 1));
  }
  local.sun_family = AF_UNIX;
  path.copy(local.sun_path, path.size());
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

}  // namespace

std::string SocketAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return absl::StrCat(text, ":", ntohs(v4.sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return absl::StrCat("[", text, "]:", ntohs(v6.sin6_port));
  }
  const auto& local = reinterpret_cast<const sockaddr_un&>(storage);
  if (length <= offsetof(sockaddr_un, sun_path)) return "unix:";
  return absl::StrCat("unix:",
                      std::string(local.sun_path, strnlen(local.sun_path, sizeof(local.sun_path))));
}

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text) {
  if (text.substr(0, kUnix.size()) == kUnix) return ParseUnix(text.substr(kUnix.size()));
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  if (colon == text.npos || !ParsePort(text.substr(colon + 1), port)) return NoAddress(text);
  std::string host(text.substr(0, colon));
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.length = sizeof(v4);
    return address;
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return NoAddress(text);
  host = host.substr(1, host.size() - 2);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return NoAddress(text);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  address.length = sizeof(v6);
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

bool SocketAddress::IsLoopback() const {
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  if (storage.ss_family != AF_INET6) return false;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) ||
         (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == IN_LOOPBACKNET);
}

}  // namespace grove
