// Directory: which tenants, queues and pools exist.
//
// Begins with what the config names, which stays as it is; further tenants come and go at run time.
// Tenant `default` exists always; every tenant has a queue and a pool `default`. Holds settings,
// not live numbers. A tenant that has nothing of its own takes less than 400 bytes here.
#ifndef GROVE_SERVER_TENANCY_DIRECTORY_H_
#define GROVE_SERVER_TENANCY_DIRECTORY_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/tenancy/quotas.h"

namespace grove::tenancy {

inline constexpr std::string_view kDefaultName = "default";
// Of the queues and pools that the config does not name; others are resolved.
inline constexpr int64_t kPoolSizeDefault = 1000;
inline constexpr int64_t kPoolSizeMax = 1000000;
inline constexpr int64_t kQueueDepthDefault = 1000000;
inline constexpr int64_t kQueueDepthMax = 100000000;
// Of a tenant in the config, in per cent.
inline constexpr int32_t kWeightDefault = 100;
inline constexpr int32_t kWeightMax = 100'000;
// Each costs below a kilobyte of control's memory until it has tasks, and nothing in the rounds of
// dispatch.
inline constexpr size_t kTenantsMax = 100'000;
inline constexpr size_t kQueuesMax = 200'000;
inline constexpr size_t kPoolsMax = 200'000;

// A weight in per cent, of which there is at least one.
inline int32_t WeightPercent(double weight) {
  return std::max(1, static_cast<int32_t>(std::lround(weight * 100)));
}

class Directory {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Those that were retired have no name; another may take their place.
  struct Pool {
    size_t tenant;
    const std::string* tenant_name;
    std::string name;
    int64_t size;
    // Of the same tenant; kNone: the last.
    uint32_t next = kNone;

    bool is_retired() const { return name.empty(); }
    std::string resource_name() const;
  };
  struct Queue {
    size_t tenant;
    const std::string* tenant_name;
    std::string name;
    // Index into pools(); of the same tenant.
    size_t pool;
    // Never ORDER_UNSPECIFIED.
    config::v1::Queue::Order order;
    bool paused;
    int64_t depth_max;
    // For how long its ended tasks are kept, and those of them that failed; 0: as the others'.
    int64_t retention_ms = 0;
    int64_t dead_letter_retention_ms = 0;
    // Of the same tenant; kNone: the last.
    uint32_t next = kNone;

    bool is_retired() const { return name.empty(); }
    std::string resource_name() const;
  };
  struct Tenant {
    std::string name;
    // Of its share beside others.
    double weight = 1;
    // The config names it.
    bool from_config = false;
    // It takes no tasks any more.
    bool draining = false;
    // The others follow by their `next`.
    uint32_t first_queue = kNone;
    uint32_t first_pool = kNone;
    // nullptr: none.
    std::unique_ptr<TenantBounds> bounds = nullptr;

    bool is_retired() const { return name.empty(); }
    std::string resource_name() const;
  };

  // INVALID_ARGUMENT naming the entry: a bad or doubled name, a queue with an unknown pool, a size
  // out of range.
  static absl::StatusOr<Directory> Create(const config::v1::Config& config);
  // Its entries know each other by their addresses.
  Directory(Directory&&) = default;
  Directory& operator=(Directory&&) = default;

  // Indices into these are stable: they identify tenants, queues and pools everywhere in control.
  // So are the entries' addresses.
  const std::deque<Tenant>& tenants() const { return tenants_; }
  const std::deque<Queue>& queues() const { return queues_; }
  const std::deque<Pool>& pools() const { return pools_; }

  // All queues, or pools, of one tenant.
  template <typename Each>
  void ForEachQueueOf(size_t tenant, Each each) const {
    for (uint32_t i = tenants_[tenant].first_queue; i != kNone; i = queues_[i].next) each(i);
  }
  template <typename Each>
  void ForEachPoolOf(size_t tenant, Each each) const {
    for (uint32_t i = tenants_[tenant].first_pool; i != kNone; i = pools_[i].next) each(i);
  }

  // By short names; nullopt where there is none.
  std::optional<size_t> FindTenant(std::string_view tenant) const;
  std::optional<size_t> FindQueue(std::string_view tenant, std::string_view queue) const;
  std::optional<size_t> FindPool(std::string_view tenant, std::string_view pool) const;
  const Quotas& QuotasOf(size_t tenant) const { return BoundsOf(tenant).quotas; }
  // What is in these is there until the next change of a tenant's limits.
  const Limits& LimitsOf(size_t tenant) const { return BoundsOf(tenant).limits; }

  // --- At run time: whoever sizes itself by the directory has to be told ------------------------

  // With its queue and pool `default`; its index. INVALID_ARGUMENT: the name; ALREADY_EXISTS;
  // RESOURCE_EXHAUSTED: there are kTenantsMax.
  absl::StatusOr<size_t> AddTenant(std::string_view tenant, double weight);
  // As AddTenant() would say.
  absl::Status CheckNew(std::string_view tenant) const;
  void SetWeight(size_t tenant, double weight) { tenants_[tenant].weight = weight; }
  void SetDraining(size_t tenant) { tenants_[tenant].draining = true; }
  void SetQuotas(size_t tenant, const Quotas& quotas) { Bind(tenant).quotas = quotas; }
  void SetLimit(size_t tenant, Limit limit) { Bind(tenant).limits.Set(std::move(limit)); }
  void DropLimit(size_t tenant, std::string_view pattern) { Bind(tenant).limits.Drop(pattern); }
  // It is gone, with its queues and pools, and its name may come again. Requires: it is not from
  // the config, and nothing refers to it any more.
  void Retire(size_t tenant);

 private:
  // A text that has absl's hash.
  using Key = decltype(Abseil(std::string_view()));
  using OfTenant = absl::flat_hash_map<std::pair<uint32_t, Key>, uint32_t>;

  Directory() = default;

  const TenantBounds& BoundsOf(size_t tenant) const;
  TenantBounds& Bind(size_t tenant);
  absl::Status AddFromConfig(const config::v1::Tenant& tenant);
  absl::Status BindFromConfig(size_t index, const config::v1::Tenant& tenant);
  // Puts it in a retired one's place, or at the end; its index.
  template <typename Entry>
  static uint32_t Place(Entry entry, std::deque<Entry>& entries, std::vector<uint32_t>& free);
  // The one at `first` and those that follow.
  template <typename Entry>
  static void RetireAll(uint32_t first, std::deque<Entry>& entries, OfTenant& index,
                        std::vector<uint32_t>& free);
  size_t PlaceTenant(Tenant tenant);
  absl::Status AddPool(size_t tenant, const config::v1::Pool& pool);
  absl::Status AddQueue(size_t tenant, const config::v1::Queue& queue);

  std::deque<Tenant> tenants_;
  std::deque<Queue> queues_;
  std::deque<Pool> pools_;
  // By short names, which are the entries' own.
  absl::flat_hash_map<Key, uint32_t> tenant_index_;
  OfTenant queue_index_;
  OfTenant pool_index_;
  // Places of retired ones.
  std::vector<uint32_t> free_tenants_;
  std::vector<uint32_t> free_queues_;
  std::vector<uint32_t> free_pools_;
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_DIRECTORY_H_
