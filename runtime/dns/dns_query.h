// QueryDns: asks DNS servers for the addresses of one name, without a look at files or caches.
//
// c-ares speaks the protocol: servers and search domains of resolv.conf(5), retries, TCP for long
// answers, A and AAAA side by side, order of addresses (RFC 6724). Here its sockets and its clock
// are tied to the calling fiber: nothing blocks the hub, and there is no thread. Each query has a
// c-ares channel of its own, because c-ares can cancel channels only; it also gives each a random
// source port, and a changed resolv.conf counts from the next query on. That costs 75 kB while it
// runs and, for reading that file, some 50 us of the hub's time. Hub thread only.
#ifndef GROVE_RUNTIME_DNS_DNS_QUERY_H_
#define GROVE_RUNTIME_DNS_DNS_QUERY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/io/socket.h"

namespace grove {

struct DnsQueryOptions {
  // "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53", in the order they are tried. Empty: those of
  // resolv_conf.
  std::vector<std::string> servers;
  // Instead of resolv_conf's; an empty list: names are taken as they are.
  std::optional<std::vector<std::string>> search_domains;
  // Empty: /etc/resolv.conf. Its `timeout` and `attempts` don't count, those below do.
  std::string resolv_conf;
  // For the first round over the servers; it doubles in each later one.
  absl::Duration timeout_per_try = absl::Seconds(3);
  // Rounds over the servers; 2 as in resolv.conf(5).
  int tries = 2;
};

// No service needs more; the rest of an answer is left out.
inline constexpr size_t kDnsAddressesMax = 64;
inline constexpr size_t kDnsServersMax = 16;

struct DnsAnswer {
  std::vector<SocketAddress> addresses;  // port 0; at least one, the best first
  absl::Duration ttl;                    // the shortest of the records used
};

// kInvalidArgument: what is wrong with the options.
absl::Status ValidateDnsOptions(const DnsQueryOptions& options);

// `family`: AF_INET, AF_INET6 or AF_UNSPEC for both. kNotFound: the name doesn't exist, or has no
// address of that family. kUnavailable: no server answered, or none usefully. kInvalidArgument:
// c-ares can't ask for such a name. kDeadlineExceeded, kCancelled: the query is dropped. **Parks.**
absl::StatusOr<DnsAnswer> QueryDns(const std::string& name, int family,
                                   const DnsQueryOptions& options);

}  // namespace grove

#endif  // GROVE_RUNTIME_DNS_DNS_QUERY_H_
