#include "database/postgres/statement_cache.h"

#include <utility>

namespace grove::postgres {

const std::string& StatementCache::KeyOf(std::string_view sql, absl::Span<const Param> params) {
  key_.assign(sql);
  key_ += '\0';
  for (const Param& param : params) {
    const TypeId type = param.type();
    key_.append(reinterpret_cast<const char*>(&type), sizeof(type));
  }
  return key_;
}

const std::string* StatementCache::Find(std::string_view sql, absl::Span<const Param> params) {
  const auto at = by_key_.find(KeyOf(sql, params));
  if (at == by_key_.end()) return nullptr;
  used_.splice(used_.begin(), used_, at->second);
  return &at->second->name;
}

void StatementCache::Add(std::string_view sql, absl::Span<const Param> params, std::string name) {
  const std::string& key = KeyOf(sql, params);
  used_.push_front({key, std::move(name)});
  by_key_[key] = used_.begin();
}

void StatementCache::Remove(std::string_view sql, absl::Span<const Param> params) {
  const auto at = by_key_.find(KeyOf(sql, params));
  if (at == by_key_.end()) return;
  used_.erase(at->second);
  by_key_.erase(at);
}

std::optional<std::string> StatementCache::Evict() {
  if (by_key_.size() < max_ || used_.empty()) return std::nullopt;
  Statement last = std::move(used_.back());
  used_.pop_back();
  by_key_.erase(last.key);
  return std::move(last.name);
}

void StatementCache::Clear() {
  used_.clear();
  by_key_.clear();
}

}  // namespace grove::postgres
