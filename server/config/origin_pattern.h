// OriginPattern: the origins that `fetch.origins[]` has bounds for.
//
//   https://api.example.org       this host, whatever the port
//   http://*.example.org:8080     one label or more before it, this port alone
//   https://*                     any host
//   http://[::1]:80
//
// Values; any thread.
#ifndef GROVE_SERVER_CONFIG_ORIGIN_PATTERN_H_
#define GROVE_SERVER_CONFIG_ORIGIN_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::config {

struct OriginPattern {
  bool https = false;
  // Lower case, an IPv6 address without brackets; "*" and "*.example.org" as they are.
  std::string host;
  uint16_t port = 0;  // 0: any

  // kInvalidArgument, with what would be right.
  static absl::StatusOr<OriginPattern> Parse(std::string_view text);

  // `host` in lower case, without brackets.
  bool Matches(bool is_https, std::string_view name, uint16_t at_port) const;
  // Of two that match the same origin the one with the higher rank holds.
  size_t rank() const;
};

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_ORIGIN_PATTERN_H_
