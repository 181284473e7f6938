#include "server/functions/fetch_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace grove::functions {
namespace {

struct SpecialRange {
  absl::string_view range;
  absl::string_view name;
};

// Names for people; IsPublicAddress() alone decides.
constexpr SpecialRange kSpecialRanges[] = {
    {"127.0.0.0/8", "loopback"},
    {"::1/128", "loopback"},
    {"10.0.0.0/8", "private"},
    {"172.16.0.0/12", "private"},
    {"192.168.0.0/16", "private"},
    {"fc00::/7", "private"},
    {"169.254.0.0/16", "link-local"},
    {"fe80::/10", "link-local"},
    {"100.64.0.0/10", "carrier-grade NAT"},
    {"0.0.0.0/8", "unspecified"},
    {"::/128", "unspecified"},
    {"224.0.0.0/4", "multicast"},
    {"ff00::/8", "multicast"},
};

absl::string_view KindOf(const sockaddr* address) {
  for (const SpecialRange& special : kSpecialRanges) {
    const absl::StatusOr<config::AddressRange> range = config::AddressRange::Parse(special.range);
    if (range.ok() && range->Contains(address)) return special.name;
  }
  return "not a public address";
}

std::string HostText(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text,
              sizeof(text));
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text,
              sizeof(text));
  } else {
    return absl::StrCat("address family ", address->sa_family);
  }
  return text;
}

}  // namespace

absl::StatusOr<FetchPolicy> FetchPolicy::FromConfig(const config::v1::Fetch& config) {
  FetchPolicy policy;
  for (const std::string& text : config.allow()) {
    absl::StatusOr<config::AddressRange> range = config::AddressRange::Parse(text);
    if (!range.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("fetch.allow: ", range.status().message()));
    }
    policy.allow.push_back(*std::move(range));
  }
  if (config.body_max_bytes() > 0) policy.limits.body_max_bytes = config.body_max_bytes();
  if (config.timeout_ms() > 0) policy.limits.timeout = absl::Milliseconds(config.timeout_ms());
  if (config.redirects_max() > 0) policy.limits.redirects_max = config.redirects_max();
  if (config.concurrency_max() > 0) policy.concurrency_max = config.concurrency_max();
  return policy;
}

absl::Status FetchPolicy::Check(const sockaddr* address) const {
  if (config::IsPublicAddress(address)) return absl::OkStatus();
  const auto contains = [address](const config::AddressRange& range) {
    return range.Contains(address);
  };
  if (std::any_of(allow.begin(), allow.end(), contains)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("refuses to connect to ", HostText(address), " (",
                                                  KindOf(address), "); allow it with fetch.allow"));
}

}  // namespace grove::functions
