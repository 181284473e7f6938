#include "server/tenancy/directory.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"
#include "server/tenancy/resource_name.h"

namespace grove::tenancy {
namespace {

absl::Status CheckShortName(std::string_view where, std::string_view name) {
  if (IsShortName(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(
      where, ": bad name \"", absl::CHexEscape(Abseil(name)), "\": a name is 1 to ", kShortNameMax,
      " lower-case letters, digits, \"-\", \"_\" and \".\", with a letter or digit at both ends"));
}

absl::Status CheckRange(std::string_view what, int64_t value, int64_t max) {
  if (value >= 0 && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat(what, " is ", value, "; 1 to ", max, " are possible, 0 means the default"));
}

absl::Status CheckCount(std::string_view what, size_t count, size_t max) {
  if (count < max) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("more than ", max, " ", what));
}

template <typename Entries>
bool HasDefault(const Entries& entries) {
  return std::any_of(entries.begin(), entries.end(),
                     [](const auto& entry) { return entry.name() == kDefaultName; });
}

std::optional<size_t> FindIn(const absl::flat_hash_map<std::string, size_t>& index,
                             std::string_view key) {
  auto it = index.find(Abseil(key));
  if (it == index.end()) return std::nullopt;
  return it->second;
}

}  // namespace

absl::StatusOr<Directory> Directory::Create(const config::v1::Config& config) {
  Directory directory;
  if (!HasDefault(config.tenants())) {
    config::v1::Tenant tenant;
    tenant.set_name(std::string(kDefaultName));
    if (absl::Status s = directory.AddTenant(tenant); !s.ok()) return s;
  }
  for (const config::v1::Tenant& tenant : config.tenants()) {
    if (absl::Status s = directory.AddTenant(tenant); !s.ok()) return s;
  }
  return directory;
}

// Pools first: queues name them.
absl::Status Directory::AddTenant(const config::v1::Tenant& tenant) {
  if (absl::Status s = CheckShortName("tenants", tenant.name()); !s.ok()) return s;
  if (absl::Status s = CheckCount("tenants", tenants_.size(), kTenantsMax); !s.ok()) return s;
  const size_t index = tenants_.size();
  std::string resource_name = FormatTenantName(tenant.name());
  if (!tenant_index_.emplace(resource_name, index).second) {
    return absl::InvalidArgumentError(StrCat(resource_name, " is there twice"));
  }
  tenants_.push_back(Tenant{tenant.name(), std::move(resource_name)});
  config::v1::Pool default_pool;
  default_pool.set_name(std::string(kDefaultName));
  if (!HasDefault(tenant.pools())) {
    if (absl::Status s = AddPool(index, default_pool); !s.ok()) return s;
  }
  for (const config::v1::Pool& pool : tenant.pools()) {
    if (absl::Status s = AddPool(index, pool); !s.ok()) return s;
  }
  config::v1::Queue default_queue;
  default_queue.set_name(std::string(kDefaultName));
  if (!HasDefault(tenant.queues())) {
    if (absl::Status s = AddQueue(index, default_queue); !s.ok()) return s;
  }
  for (const config::v1::Queue& queue : tenant.queues()) {
    if (absl::Status s = AddQueue(index, queue); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Directory::AddPool(size_t tenant, const config::v1::Pool& pool) {
  const Tenant& owner = tenants_[tenant];
  std::string resource_name = FormatPoolName(owner.name, pool.name());
  if (absl::Status s = CheckShortName(owner.resource_name + "/pools", pool.name()); !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckRange(resource_name + ": size", pool.size(), kPoolSizeMax); !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckCount("pools", pools_.size(), kPoolsMax); !s.ok()) return s;
  if (!pool_index_.emplace(resource_name, pools_.size()).second) {
    return absl::InvalidArgumentError(StrCat(resource_name, " is there twice"));
  }
  pools_.push_back(Pool{tenant, pool.name(), std::move(resource_name),
                        pool.size() == 0 ? kPoolSizeDefault : pool.size()});
  return absl::OkStatus();
}

absl::Status Directory::AddQueue(size_t tenant, const config::v1::Queue& queue) {
  const Tenant& owner = tenants_[tenant];
  std::string resource_name = FormatQueueName(owner.name, queue.name());
  if (absl::Status s = CheckShortName(owner.resource_name + "/queues", queue.name()); !s.ok()) {
    return s;
  }
  const std::string where = resource_name + ": depth_max";
  if (absl::Status s = CheckRange(where, queue.depth_max(), kQueueDepthMax); !s.ok()) return s;
  if (absl::Status s = CheckCount("queues", queues_.size(), kQueuesMax); !s.ok()) return s;
  const std::string pool_name = queue.pool().empty() ? std::string(kDefaultName) : queue.pool();
  const std::optional<size_t> pool = FindPool(owner.name, pool_name);
  if (!pool) {
    return absl::InvalidArgumentError(StrCat(resource_name, ": ", owner.resource_name,
                                             " has no pool \"", absl::CHexEscape(pool_name),
                                             "\"; declare it under the tenant's pools"));
  }
  if (!queue_index_.emplace(resource_name, queues_.size()).second) {
    return absl::InvalidArgumentError(StrCat(resource_name, " is there twice"));
  }
  const bool has_order = queue.order() != config::v1::Queue::ORDER_UNSPECIFIED;
  queues_.push_back(Queue{tenant, queue.name(), std::move(resource_name), *pool,
                          has_order ? queue.order() : config::v1::Queue::ORDER_FIFO,
                          queue.depth_max() == 0 ? kQueueDepthDefault : queue.depth_max(),
                          queue.paused()});
  return absl::OkStatus();
}

std::optional<size_t> Directory::FindTenant(std::string_view tenant) const {
  return FindIn(tenant_index_, FormatTenantName(tenant));
}

std::optional<size_t> Directory::FindQueue(std::string_view tenant, std::string_view queue) const {
  return FindIn(queue_index_, FormatQueueName(tenant, queue));
}

std::optional<size_t> Directory::FindPool(std::string_view tenant, std::string_view pool) const {
  return FindIn(pool_index_, FormatPoolName(tenant, pool));
}

}  // namespace grove::tenancy
