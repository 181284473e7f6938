#include "runtime/io/address_range.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

namespace grove {
namespace {

absl::Status NoRange(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "'%s' is no address range: %s (want ADDRESS/BITS, as in 10.0.0.0/8)", text, why));
}

// Digits alone: SimpleAtoi takes signs and blanks.
std::optional<int> ParseBits(std::string_view text, int max) {
  if (text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  int bits = 0;
  if (!absl::SimpleAtoi(std::string(text), &bits) || bits > max) return std::nullopt;
  return bits;
}

IpAddress FirstBits(const IpAddress& address, int bits) {
  IpAddress::Bytes prefix = {};
  for (int bit = 0; bit < bits; ++bit) {
    prefix[bit / 8] |= address.bytes()[bit / 8] & (0x80 >> (bit % 8));
  }
  return IpAddress(address.family(), prefix);
}

}  // namespace

absl::StatusOr<AddressRange> AddressRange::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  std::optional<IpAddress> address = IpAddress::Parse(host);
  if (!address.has_value()) return NoRange(text, absl::StrFormat("'%s' is no IP address", host));
  std::optional<int> bits = address->bits();
  if (slash != text.npos) bits = ParseBits(text.substr(slash + 1), *bits);
  if (!bits.has_value()) {
    return NoRange(text,
                   absl::StrFormat("the prefix must be a number from 0 to %d", address->bits()));
  }
  const IpAddress unmapped = address->Unmapped();
  const int mapped_bits = address->bits() - unmapped.bits();
  if (*bits >= mapped_bits) {
    address = unmapped;
    *bits -= mapped_bits;
  }
  const AddressRange range(FirstBits(*address, *bits), *bits);
  if (range.prefix_.bytes() == address->bytes()) return range;
  return NoRange(
      text, absl::StrFormat("it has bits beyond its prefix; did you mean %s?", range.ToString()));
}

bool AddressRange::Contains(const IpAddress& address) const {
  return address.Unmapped().SharesPrefix(prefix_, bits_);
}

std::string AddressRange::ToString() const {
  return absl::StrFormat("%s/%d", prefix_.ToString(), bits_);
}

}  // namespace grove
