#include "runtime/tls/session_cache.h"

#include <utility>

namespace grove {

void TlsSessionCache::Put(const std::string& key, SessionPtr session) {
  if (hosts_max_ == 0) return;
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (hosts_.size() == hosts_max_) {
      by_key_.erase(hosts_.back().key);
      hosts_.pop_back();
    }
    hosts_.push_front(Host{.key = key});
    by_key_.emplace(key, hosts_.begin());
  } else {
    hosts_.splice(hosts_.begin(), hosts_, found->second);
  }
  std::vector<SessionPtr>& sessions = hosts_.front().sessions;
  if (sessions.size() == kSessionsPerHost) sessions.erase(sessions.begin());
  sessions.push_back(std::move(session));
}

SessionPtr TlsSessionCache::Take(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  hosts_.splice(hosts_.begin(), hosts_, found->second);
  std::vector<SessionPtr>& sessions = hosts_.front().sessions;
  SSL_SESSION* newest = sessions.back().get();
  if (SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(newest);
    return SessionPtr(newest);
  }
  SessionPtr taken = std::move(sessions.back());
  sessions.pop_back();
  if (sessions.empty()) {
    by_key_.erase(found);
    hosts_.pop_front();
  }
  return taken;
}

}  // namespace grove
