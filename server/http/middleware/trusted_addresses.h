// TrustedAddresses: whose word about a request counts: the proxies in front of the server.
//
// Constant after construction; any thread.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_TRUSTED_ADDRESSES_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_TRUSTED_ADDRESSES_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/io/address_range.h"

namespace grove::http {

class TrustedAddresses {
 public:
  // CIDR ranges, and "unix:" for whoever connects over a UNIX socket. kInvalidArgument.
  static absl::StatusOr<TrustedAddresses> Parse(std::span<const std::string> ranges);

  // `address` without port or brackets, or "unix:…". False for what is no address.
  bool Contains(std::string_view address) const;

 private:
  std::vector<AddressRange> ranges_;
  bool unix_ = false;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_TRUSTED_ADDRESSES_H_
