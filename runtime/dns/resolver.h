// Resolver: the addresses of a host name, without blocking the hub.
//
// In this order: numeric addresses; the hosts file; names that never reach a server (localhost,
// RFC 6761; .invalid, .onion); the cache; the DNS servers. Fibers that ask for the same name at the
// same time share one query, which is dropped when the last of them has gone.
// Belongs to one hub, and has no fiber while nothing is asked; hub thread only.
#ifndef GROVE_RUNTIME_DNS_RESOLVER_H_
#define GROVE_RUNTIME_DNS_RESOLVER_H_

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/dns/dns_cache.h"
#include "runtime/dns/dns_query.h"
#include "runtime/dns/hosts_file.h"

namespace grove {

struct ResolverOptions {
  DnsQueryOptions query;
  std::string hosts_path = "/etc/hosts";
  // Over all servers, tries and search domains: eventlet's limit of a query. By the hub's clock.
  absl::Duration lookup_timeout = absl::Seconds(10);
  // Names being asked for at a time: each costs two descriptors and 75 kB in c-ares.
  size_t lookups_max = 256;
  // Answers, good and bad. 0: no cache.
  size_t cache_entries_max = 1024;
  // Bounds of an answer's own time to live. The lower one keeps a record with TTL 0 from costing a
  // query per connection; the upper one bounds how long a moved service is missed.
  absl::Duration ttl_min = absl::Seconds(1);
  absl::Duration ttl_max = absl::Hours(1);
  // Of "no such name" and "no address". RFC 2308 takes it from the SOA record, which c-ares doesn't
  // hand out with addresses: short, as a name that was just created is soon wanted.
  absl::Duration negative_ttl = absl::Seconds(5);
  // Of servers that fail or are silent: at least 1 s by RFC 9520 section 3.2.
  absl::Duration failure_ttl = absl::Seconds(1);
};

struct ResolveOptions {
  int family = AF_UNSPEC;  // or AF_INET, AF_INET6
};

// Counters since it was made; levels where the name says so.
struct ResolverStats {
  uint64_t resolved = 0;    // calls of Resolve()
  uint64_t hosts_hits = 0;  // answered by the hosts file
  uint64_t cache_hits = 0;  // by the cache, good or bad
  uint64_t joined = 0;      // shared another fiber's query
  uint64_t queries = 0;     // lookups sent to servers, with all their packets
  uint64_t not_found = 0;   // of these: no such name, or no address
  uint64_t failures = 0;    // of these: failed otherwise
  uint64_t dropped = 0;     // of these: nobody waited any more
  size_t lookups_in_flight = 0;
  size_t cached = 0;
};

class Resolver {
 public:
  // kInvalidArgument: what is wrong with the options.
  static absl::StatusOr<std::unique_ptr<Resolver>> Create(ResolverOptions options = {});
  // Fibers that wait in Resolve() get kAborted.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Addresses of `host` with `port`, at least one, the one to try first in front (RFC 6724). A
  // single label is sought in the search domains of resolv.conf(5); a final dot prevents that.
  // kNotFound: no such name, or no address of the family. kUnavailable: no server answered
  // usefully; try again later. kInvalidArgument: `host` can't be a name. kResourceExhausted:
  // lookups_max. kDeadlineExceeded, kCancelled of the caller. **Parks.**
  absl::StatusOr<std::vector<SocketAddress>> Resolve(std::string_view host, uint16_t port,
                                                     const ResolveOptions& options = {});

  // Forgets all answers; queries under way go on.
  void ClearCache() { cache_.Clear(); }
  ResolverStats Stats() const;

 private:
  using Result = DnsCache::Result;
  struct Lookup;

  explicit Resolver(std::shared_ptr<const ResolverOptions> options);
  Result Find(std::string_view host, int family);
  Result Ask(const std::string& name, int family);
  absl::StatusOr<std::shared_ptr<Lookup>> Start(const std::string& key, const std::string& name,
                                                int family);
  static void Drive(const std::shared_ptr<Lookup>& lookup);
  static Result Await(const std::shared_ptr<Lookup>& lookup);
  static void Drop(const std::shared_ptr<Lookup>& lookup);
  void Keep(const Lookup& lookup, const absl::StatusOr<DnsAnswer>& answer);

  const std::shared_ptr<const ResolverOptions> options_;  // a query may outlive the resolver a turn
  HostsFile hosts_;
  DnsCache cache_;
  absl::flat_hash_map<std::string, std::shared_ptr<Lookup>> in_flight_;  // by key
  ResolverStats stats_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_DNS_RESOLVER_H_
