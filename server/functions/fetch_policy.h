// FetchPolicy: what fetches may reach, and how much they may take.
//
// Public addresses are allowed; special ones (loopback, private, link-local, …) only inside the
// ranges that the config lists. Pure values; any thread.
#ifndef GROVE_SERVER_FUNCTIONS_FETCH_POLICY_H_
#define GROVE_SERVER_FUNCTIONS_FETCH_POLICY_H_

#include <sys/socket.h>

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/io/address_range.h"

namespace grove::functions {

struct FetchLimits {
  // From the moment the fetch has its turn (concurrency_max) to its last byte, redirects included.
  absl::Duration timeout = absl::Seconds(30);
  size_t body_max_bytes = 4 << 20;
  int redirects_max = 5;
};

struct FetchPolicy {
  std::vector<AddressRange> allow;
  FetchLimits limits;
  int concurrency_max = 256;
  // What may be signed with: tenant and name -> file.
  std::map<std::pair<std::string, std::string>, std::string> secrets;

  // Of a resolved config. kInvalidArgument names the bad range.
  static absl::StatusOr<FetchPolicy> FromConfig(const config::v1::Fetch& config);

  // kPermissionDenied: "refuses to connect to 127.0.0.1 (loopback); allow it with fetch.allow".
  absl::Status Check(const sockaddr* address) const;
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_FETCH_POLICY_H_
