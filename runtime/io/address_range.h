// AddressRange: a CIDR range: "10.0.0.0/8", "fd00::/8".
//
// An address without a prefix is a range of one. A v4-mapped range or address counts as the IPv4
// one in it.
// A value; any thread.
#ifndef GROVE_RUNTIME_IO_ADDRESS_RANGE_H_
#define GROVE_RUNTIME_IO_ADDRESS_RANGE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/io/ip_address.h"

namespace grove {

class AddressRange {
 public:
  // kInvalidArgument for bad syntax, and for bits set beyond the prefix ("10.1.0.0/8").
  static absl::StatusOr<AddressRange> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;

  // The canonical text; Parse() reads it back.
  std::string ToString() const;

 private:
  AddressRange(const IpAddress& prefix, int bits) : prefix_(prefix), bits_(bits) {}

  IpAddress prefix_;
  int bits_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_ADDRESS_RANGE_H_
