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

template <typename Index, typename Key>
std::optional<size_t> FindIn(const Index& index, const Key& key) {
  auto it = index.find(key);
  if (it == index.end()) return std::nullopt;
  return it->second;
}

}  // namespace

std::string Directory::Pool::resource_name() const {
  return FormatPoolName(*tenant_name, name);
}

std::string Directory::Queue::resource_name() const {
  return FormatQueueName(*tenant_name, name);
}

std::string Directory::Tenant::resource_name() const {
  return FormatTenantName(name);
}

absl::StatusOr<Directory> Directory::Create(const config::v1::Config& config) {
  Directory directory;
  if (!HasDefault(config.tenants())) {
    config::v1::Tenant tenant;
    tenant.set_name(std::string(kDefaultName));
    if (absl::Status s = directory.AddFromConfig(tenant); !s.ok()) return s;
  }
  for (const config::v1::Tenant& tenant : config.tenants()) {
    if (absl::Status s = directory.AddFromConfig(tenant); !s.ok()) return s;
  }
  return directory;
}

template <typename Entry>
uint32_t Directory::Place(Entry entry, std::deque<Entry>& entries, std::vector<uint32_t>& free) {
  if (free.empty()) {
    entries.push_back(std::move(entry));
    return static_cast<uint32_t>(entries.size() - 1);
  }
  const uint32_t index = free.back();
  free.pop_back();
  entries[index] = std::move(entry);
  return index;
}

size_t Directory::PlaceTenant(Tenant tenant) {
  const uint32_t index = Place(std::move(tenant), tenants_, free_tenants_);
  tenant_index_.emplace(Abseil(tenants_[index].name), index);
  return index;
}

absl::Status Directory::AddFromConfig(const config::v1::Tenant& tenant) {
  if (absl::Status s = CheckShortName("tenants", tenant.name()); !s.ok()) return s;
  if (absl::Status s = CheckCount("tenants", tenant_index_.size(), kTenantsMax); !s.ok()) return s;
  if (FindTenant(tenant.name())) {
    return absl::InvalidArgumentError(StrCat(FormatTenantName(tenant.name()), " is there twice"));
  }
  const std::string weight = FormatTenantName(tenant.name()) + ": weight";
  if (absl::Status s = CheckRange(weight, tenant.weight(), kWeightMax); !s.ok()) return s;
  const int32_t percent = tenant.weight() == 0 ? kWeightDefault : tenant.weight();
  const size_t index =
      PlaceTenant({.name = tenant.name(), .weight = percent / 100.0, .from_config = true});
  if (absl::Status s = BindFromConfig(index, tenant); !s.ok()) return s;
  // Pools first: queues name them.
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

absl::Status Directory::BindFromConfig(size_t index, const config::v1::Tenant& tenant) {
  const std::string name = FormatTenantName(tenant.name());
  const auto wrong = [](std::string_view where, const WrongBound& bound) {
    return absl::InvalidArgumentError(StrCat(where, ": ", bound.field, " ", bound.problem));
  };
  if (tenant.has_quotas()) {
    const auto bound = CheckBounds(tenant.quotas());
    if (bound) return wrong(name + ": quotas", *bound);
    SetQuotas(index, tenancy::QuotasOf(tenant.quotas()));
  }
  if (tenant.limits_size() > kLimitsMax) {
    return absl::InvalidArgumentError(StrCat(name, ": more than ", kLimitsMax, " limits"));
  }
  for (const config::v1::Limit& said : tenant.limits()) {
    const std::string where =
        StrCat(name, ": limit \"", absl::CHexEscape(Abseil(said.pattern())), "\"");
    const std::string problem = CheckPattern(said.pattern());
    if (!problem.empty()) return wrong(where, {"pattern", problem});
    if (const auto bound = CheckBounds(said)) return wrong(where, *bound);
    if (LimitsOf(index).Named(said.pattern()) != nullptr) {
      return absl::InvalidArgumentError(where + " is there twice");
    }
    Limit limit{tenancy::BoundsOf(said), said.pattern(), /*from_config=*/true};
    SetLimit(index, std::move(limit));
  }
  return absl::OkStatus();
}

const TenantBounds& Directory::BoundsOf(size_t tenant) const {
  static const auto* const kUnbound = new TenantBounds();
  const TenantBounds* bounds = tenants_[tenant].bounds.get();
  return bounds == nullptr ? *kUnbound : *bounds;
}

TenantBounds& Directory::Bind(size_t tenant) {
  std::unique_ptr<TenantBounds>& bounds = tenants_[tenant].bounds;
  if (bounds == nullptr) bounds = std::make_unique<TenantBounds>();
  return *bounds;
}

absl::Status Directory::CheckNew(std::string_view tenant) const {
  if (absl::Status s = CheckShortName("tenants", tenant); !s.ok()) return s;
  if (FindTenant(tenant)) {
    return absl::AlreadyExistsError(StrCat(FormatTenantName(tenant), " exists"));
  }
  if (tenant_index_.size() >= kTenantsMax || queue_index_.size() >= kQueuesMax ||
      pool_index_.size() >= kPoolsMax) {
    return absl::ResourceExhaustedError(StrCat("there are ", tenant_index_.size(), " tenants with ",
                                               queue_index_.size(), " queues and ",
                                               pool_index_.size(), " pools; no more fit"));
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> Directory::AddTenant(std::string_view tenant, double weight) {
  if (absl::Status possible = CheckNew(tenant); !possible.ok()) return possible;
  const size_t index = PlaceTenant({.name = std::string(tenant), .weight = weight});
  config::v1::Pool pool;
  pool.set_name(std::string(kDefaultName));
  absl::Status added = AddPool(index, pool);
  config::v1::Queue queue;
  queue.set_name(std::string(kDefaultName));
  if (added.ok()) added = AddQueue(index, queue);
  if (!added.ok()) return added;
  return index;
}

template <typename Entry>
void Directory::RetireAll(uint32_t first, std::deque<Entry>& entries, OfTenant& index,
                          std::vector<uint32_t>& free) {
  for (uint32_t i = first; i != kNone; i = entries[i].next) {
    Entry& entry = entries[i];
    index.erase({static_cast<uint32_t>(entry.tenant), Abseil(entry.name)});
    entry.name.clear();
    free.push_back(i);
  }
}

void Directory::Retire(size_t tenant) {
  RetireAll(tenants_[tenant].first_queue, queues_, queue_index_, free_queues_);
  RetireAll(tenants_[tenant].first_pool, pools_, pool_index_, free_pools_);
  tenant_index_.erase(Abseil(tenants_[tenant].name));
  tenants_[tenant] = Tenant();
  free_tenants_.push_back(static_cast<uint32_t>(tenant));
}

absl::Status Directory::AddPool(size_t tenant, const config::v1::Pool& pool) {
  const Tenant& owner = tenants_[tenant];
  const std::string resource_name = FormatPoolName(owner.name, pool.name());
  if (absl::Status s = CheckShortName(owner.resource_name() + "/pools", pool.name()); !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckRange(resource_name + ": size", pool.size(), kPoolSizeMax); !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckCount("pools", pool_index_.size(), kPoolsMax); !s.ok()) return s;
  if (FindPool(owner.name, pool.name())) {
    return absl::InvalidArgumentError(StrCat(resource_name, " is there twice"));
  }
  const uint32_t index = Place(Pool{.tenant = tenant,
                                    .tenant_name = &owner.name,
                                    .name = pool.name(),
                                    .size = pool.size() == 0 ? kPoolSizeDefault : pool.size(),
                                    .next = tenants_[tenant].first_pool},
                               pools_, free_pools_);
  tenants_[tenant].first_pool = index;
  pool_index_.emplace(std::pair(static_cast<uint32_t>(tenant), Abseil(pools_[index].name)), index);
  return absl::OkStatus();
}

absl::Status Directory::AddQueue(size_t tenant, const config::v1::Queue& queue) {
  const Tenant& owner = tenants_[tenant];
  const std::string resource_name = FormatQueueName(owner.name, queue.name());
  if (absl::Status s = CheckShortName(owner.resource_name() + "/queues", queue.name()); !s.ok()) {
    return s;
  }
  const std::string where = resource_name + ": depth_max";
  if (absl::Status s = CheckRange(where, queue.depth_max(), kQueueDepthMax); !s.ok()) return s;
  if (absl::Status s = CheckCount("queues", queue_index_.size(), kQueuesMax); !s.ok()) return s;
  const std::string pool_name = queue.pool().empty() ? std::string(kDefaultName) : queue.pool();
  const std::optional<size_t> pool = FindPool(owner.name, pool_name);
  if (!pool) {
    return absl::InvalidArgumentError(StrCat(resource_name, ": ", owner.resource_name(),
                                             " has no pool \"", absl::CHexEscape(pool_name),
                                             "\"; declare it under the tenant's pools"));
  }
  if (FindQueue(owner.name, queue.name())) {
    return absl::InvalidArgumentError(StrCat(resource_name, " is there twice"));
  }
  const bool has_order = queue.order() != config::v1::Queue::ORDER_UNSPECIFIED;
  const uint32_t index =
      Place(Queue{.tenant = tenant,
                  .tenant_name = &owner.name,
                  .name = queue.name(),
                  .pool = *pool,
                  .order = has_order ? queue.order() : config::v1::Queue::ORDER_FIFO,
                  .paused = queue.paused(),
                  .depth_max = queue.depth_max() == 0 ? kQueueDepthDefault : queue.depth_max(),
                  .retention_ms = queue.retention_ms(),
                  .dead_letter_retention_ms = queue.dead_letter_retention_ms(),
                  .next = tenants_[tenant].first_queue},
            queues_, free_queues_);
  tenants_[tenant].first_queue = index;
  queue_index_.emplace(std::pair(static_cast<uint32_t>(tenant), Abseil(queues_[index].name)),
                       index);
  return absl::OkStatus();
}

std::optional<size_t> Directory::FindTenant(std::string_view tenant) const {
  return FindIn(tenant_index_, Abseil(tenant));
}

std::optional<size_t> Directory::FindQueue(std::string_view tenant, std::string_view queue) const {
  const std::optional<size_t> owner = FindTenant(tenant);
  if (!owner) return std::nullopt;
  return FindIn(queue_index_, std::pair(static_cast<uint32_t>(*owner), Abseil(queue)));
}

std::optional<size_t> Directory::FindPool(std::string_view tenant, std::string_view pool) const {
  const std::optional<size_t> owner = FindTenant(tenant);
  if (!owner) return std::nullopt;
  return FindIn(pool_index_, std::pair(static_cast<uint32_t>(*owner), Abseil(pool)));
}

}  // namespace grove::tenancy
