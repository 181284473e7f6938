// TlsSessionCache: a client's sessions by host and port, for resumption; the least recently used
// host goes first. Hub thread only.
#ifndef GROVE_RUNTIME_TLS_SESSION_CACHE_H_
#define GROVE_RUNTIME_TLS_SESSION_CACHE_H_

#include <list>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "runtime/tls/openssl.h"

namespace grove {

class TlsSessionCache {
 public:
  // Servers commonly send two tickets.
  static constexpr size_t kSessionsPerHost = 2;

  // 0: keeps none.
  explicit TlsSessionCache(size_t hosts_max) : hosts_max_(hosts_max) {}

  void Put(const std::string& key, SessionPtr session);
  // The newest, or null. TLS 1.3's are given out once: a ticket seen twice would link connections
  // (RFC 8446 appendix C.4).
  SessionPtr Take(const std::string& key);

  size_t hosts() const { return hosts_.size(); }

 private:
  struct Host {
    std::string key;
    std::vector<SessionPtr> sessions;  // the newest last
  };

  const size_t hosts_max_;
  std::list<Host> hosts_;  // the most recently used first
  absl::flat_hash_map<std::string, std::list<Host>::iterator> by_key_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_SESSION_CACHE_H_
