#include "server/tenancy/registry.h"

#include "runtime/switch/abseil_text.h"

namespace grove::tenancy {

const TenantRecord* Registry::FindTenant(std::string_view tenant) const {
  const auto found = tenants_.find(Abseil(tenant));
  return found == tenants_.end() ? nullptr : &found->second;
}

const TokenRecord* Registry::FindToken(const TokenKey& token) const {
  const auto found = tokens_.find(token);
  return found == tokens_.end() ? nullptr : &found->second;
}

const LimitRecord* Registry::FindLimit(const LimitName& limit) const {
  const auto found = limits_.find(limit);
  return found == limits_.end() ? nullptr : &found->second;
}

std::pair<Registry::Tokens::const_iterator, Registry::Tokens::const_iterator> Registry::TokensOf(
    std::string_view tenant) const {
  // Names of tenants are free of zeros.
  const std::string name(tenant);
  return {tokens_.lower_bound({name, ""}), tokens_.lower_bound({name + '\0', ""})};
}

void Registry::Apply(RegistryChange change) {
  for (const std::string& tenant : change.drop_tenants) {
    tenants_.erase(tenant);
    const auto [begin, end] = TokensOf(tenant);
    tokens_.erase(begin, end);
    limits_.erase(limits_.lower_bound({tenant, ""}), limits_.lower_bound({tenant + '\0', ""}));
  }
  for (const TokenKey& token : change.drop_tokens) tokens_.erase(token);
  // Without names for the two: clang-tidy would take the change for one that only is read.
  for (auto& put : change.put_tenants) {
    tenants_.insert_or_assign(std::move(put.first), std::move(put.second));
  }
  for (auto& [token, record] : change.put_tokens) {
    tokens_.insert_or_assign(std::move(token), std::move(record));
  }
  for (const LimitName& limit : change.drop_limits) limits_.erase(limit);
  for (auto& [limit, record] : change.put_limits) {
    limits_.insert_or_assign(std::move(limit), std::move(record));
  }
}

}  // namespace grove::tenancy
