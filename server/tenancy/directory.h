// Directory: which tenants, queues and pools exist.
//
// Built once from the config and constant afterwards. Tenant `default` exists always; every tenant
// has a queue and a pool `default`. Holds what the config says, not live numbers.
#ifndef GROVE_SERVER_TENANCY_DIRECTORY_H_
#define GROVE_SERVER_TENANCY_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"

namespace grove::tenancy {

inline constexpr std::string_view kDefaultName = "default";
// Of the queues and pools that the config does not name; others are resolved.
inline constexpr int64_t kPoolSizeDefault = 1000;
inline constexpr int64_t kPoolSizeMax = 1000000;
inline constexpr int64_t kQueueDepthDefault = 1000000;
inline constexpr int64_t kQueueDepthMax = 100000000;
// Each costs a few hundred bytes of metrics and a place in the rounds of dispatch.
inline constexpr size_t kTenantsMax = 1000;
inline constexpr size_t kQueuesMax = 10000;
inline constexpr size_t kPoolsMax = 10000;

class Directory {
 public:
  struct Pool {
    size_t tenant;
    std::string name;
    std::string resource_name;
    int64_t size;
  };
  struct Queue {
    size_t tenant;
    std::string name;
    std::string resource_name;
    // Index into pools(); of the same tenant.
    size_t pool;
    // Never ORDER_UNSPECIFIED.
    config::v1::Queue::Order order;
    int64_t depth_max;
    bool paused;
  };
  struct Tenant {
    std::string name;
    std::string resource_name;
  };

  // INVALID_ARGUMENT naming the entry: a bad or doubled name, a queue with an unknown pool, a size
  // out of range.
  static absl::StatusOr<Directory> Create(const config::v1::Config& config);

  // Indices into these are stable: they identify tenants, queues and pools everywhere in control.
  const std::vector<Tenant>& tenants() const { return tenants_; }
  const std::vector<Queue>& queues() const { return queues_; }
  const std::vector<Pool>& pools() const { return pools_; }

  // By short names; nullopt where there is none.
  std::optional<size_t> FindTenant(std::string_view tenant) const;
  std::optional<size_t> FindQueue(std::string_view tenant, std::string_view queue) const;
  std::optional<size_t> FindPool(std::string_view tenant, std::string_view pool) const;

 private:
  Directory() = default;

  absl::Status AddTenant(const config::v1::Tenant& tenant);
  absl::Status AddPool(size_t tenant, const config::v1::Pool& pool);
  absl::Status AddQueue(size_t tenant, const config::v1::Queue& queue);

  std::vector<Tenant> tenants_;
  std::vector<Queue> queues_;
  std::vector<Pool> pools_;
  // Resource name -> index.
  absl::flat_hash_map<std::string, size_t> tenant_index_;
  absl::flat_hash_map<std::string, size_t> queue_index_;
  absl::flat_hash_map<std::string, size_t> pool_index_;
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_DIRECTORY_H_
