// DnsCache: answers of name servers, good and bad, until they expire.
//
// Bounded: the entry that was unused for longest makes room. Told the time; does no I/O.
#ifndef GROVE_RUNTIME_DNS_DNS_CACHE_H_
#define GROVE_RUNTIME_DNS_DNS_CACHE_H_

#include <list>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "runtime/hub/clock.h"
#include "runtime/io/socket.h"

namespace grove {

class DnsCache {
 public:
  using Result = absl::StatusOr<std::vector<SocketAddress>>;

  // 0 entries: it keeps nothing.
  explicit DnsCache(size_t entries_max) : entries_max_(entries_max) {}

  // Replaces what is there. No effect if it would be expired at once.
  void Put(const std::string& key, Result result, MonotonicNanos now, absl::Duration ttl);
  // Null if there is none, or it has expired. Valid until the next call.
  const Result* Get(const std::string& key, MonotonicNanos now);
  void Clear();

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Result result;
    MonotonicNanos expires_at;
  };
  using Entries = std::list<Entry>;
  void Erase(Entries::iterator entry);

  const size_t entries_max_;
  Entries entries_;  // last used first
  absl::flat_hash_map<std::string, Entries::iterator> index_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_DNS_DNS_CACHE_H_
