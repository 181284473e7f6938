#include "server/functions/fetch_policy.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grove::functions {
namespace {

struct SpecialRange {
  std::string_view range;
  std::string_view name;
};

// Names for people; IpAddress::IsPublic() alone decides.
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

std::string_view KindOf(const IpAddress& address) {
  for (const SpecialRange& special : kSpecialRanges) {
    const absl::StatusOr<AddressRange> range = AddressRange::Parse(special.range);
    if (range.ok() && range->Contains(address)) return special.name;
  }
  return "not a public address";
}

absl::Status Refusal(std::string_view host, std::string_view kind) {
  return absl::PermissionDeniedError(
      absl::StrFormat("refuses to connect to %s (%s); allow it with fetch.allow", host, kind));
}

}  // namespace

absl::StatusOr<FetchPolicy> FetchPolicy::FromConfig(const config::v1::Fetch& config) {
  FetchPolicy policy;
  for (const std::string& text : config.allow()) {
    absl::StatusOr<AddressRange> range = AddressRange::Parse(text);
    if (!range.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("fetch.allow: ", range.status().message()));
    }
    policy.allow.push_back(*std::move(range));
  }
  policy.limits.body_max_bytes = static_cast<size_t>(config.body_max_bytes());
  policy.limits.timeout = absl::Milliseconds(config.timeout_ms());
  policy.limits.redirects_max = config.redirects_max();
  policy.concurrency_max = config.concurrency_max();
  for (const config::v1::FetchSecret& secret : config.secrets()) {
    policy.secrets[{secret.tenant(), secret.name()}] = secret.secret_file();
  }
  return policy;
}

absl::Status FetchPolicy::Check(const sockaddr* address) const {
  const std::optional<IpAddress> host = IpAddress::Of(address);
  if (!host.has_value()) {
    return Refusal(absl::StrCat("address family ", address->sa_family), "not a public address");
  }
  if (host->IsPublic()) return absl::OkStatus();
  const auto contains = [&](const AddressRange& range) { return range.Contains(*host); };
  if (std::any_of(allow.begin(), allow.end(), contains)) return absl::OkStatus();
  return Refusal(host->ToString(), KindOf(*host));
}

}  // namespace grove::functions
