#include "runtime/dns/dns_cache.h"

#include <utility>

namespace grove {

void DnsCache::Erase(Entries::iterator entry) {
  index_.erase(entry->key);
  entries_.erase(entry);
}

void DnsCache::Put(const std::string& key, Result result, MonotonicNanos now, absl::Duration ttl) {
  if (const auto old = index_.find(key); old != index_.end()) Erase(old->second);
  if (entries_max_ == 0 || ttl <= absl::ZeroDuration()) return;
  if (entries_.size() == entries_max_) Erase(std::prev(entries_.end()));
  entries_.push_front({key, std::move(result), DeadlineAfter(now, ttl)});
  index_[key] = entries_.begin();
}

const DnsCache::Result* DnsCache::Get(const std::string& key, MonotonicNanos now) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  if (found->second->expires_at <= now) {
    Erase(found->second);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->result;
}

void DnsCache::Clear() {
  index_.clear();
  entries_.clear();
}

}  // namespace grove
