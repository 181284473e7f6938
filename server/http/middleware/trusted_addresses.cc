#include "server/http/middleware/trusted_addresses.h"

#include <algorithm>
#include <optional>

namespace grove::http {
absl::StatusOr<TrustedAddresses> TrustedAddresses::Parse(std::span<const std::string> ranges) {
  TrustedAddresses trusted;
  for (const std::string& text : ranges) {
    if (text == "unix:") {
      trusted.unix_ = true;
      continue;
    }
    absl::StatusOr<AddressRange> range = AddressRange::Parse(text);
    if (!range.ok()) return range.status();
    trusted.ranges_.push_back(*std::move(range));
  }
  return trusted;
}

bool TrustedAddresses::Contains(std::string_view address) const {
  if (address.starts_with("unix:")) return unix_;
  const std::optional<IpAddress> parsed = IpAddress::Parse(address);
  if (!parsed.has_value()) return false;
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const AddressRange& range) { return range.Contains(*parsed); });
}

}  // namespace grove::http
