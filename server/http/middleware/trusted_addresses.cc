#include "server/http/middleware/trusted_addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace grove::http {
namespace {

std::optional<sockaddr_storage> ParseIp(std::string_view text) {
  char name[INET6_ADDRSTRLEN];
  // inet_pton stops at a NUL.
  if (text.size() >= sizeof(name) || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(name, text.data(), text.size());
  name[text.size()] = '\0';
  sockaddr_storage storage{};
  auto& in = reinterpret_cast<sockaddr_in&>(storage);
  if (inet_pton(AF_INET, name, &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    return storage;
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET6, name, &in6.sin6_addr) != 1) return std::nullopt;
  in6.sin6_family = AF_INET6;
  return storage;
}

}  // namespace

absl::StatusOr<TrustedAddresses> TrustedAddresses::Parse(std::span<const std::string> ranges) {
  TrustedAddresses trusted;
  for (const std::string& text : ranges) {
    if (text == "unix:") {
      trusted.unix_ = true;
      continue;
    }
    absl::StatusOr<config::AddressRange> range = config::AddressRange::Parse(text);
    if (!range.ok()) return range.status();
    trusted.ranges_.push_back(*std::move(range));
  }
  return trusted;
}

bool TrustedAddresses::Contains(std::string_view address) const {
  if (address.starts_with("unix:")) return unix_;
  const std::optional<sockaddr_storage> parsed = ParseIp(address);
  if (!parsed.has_value()) return false;
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const config::AddressRange& range) {
    return range.Contains(reinterpret_cast<const sockaddr*>(&*parsed));
  });
}

bool IsIpAddress(std::string_view text) {
  return ParseIp(text).has_value();
}

}  // namespace grove::http
