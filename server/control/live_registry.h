// LiveRegistry: the registry as the hub sees it.
//
// Whoever changes it locks changes() first, looks, decides, writes, and carries out what follows
// from it. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_LIVE_REGISTRY_H_
#define GROVE_SERVER_CONTROL_LIVE_REGISTRY_H_

#include <utility>

#include "absl/status/status.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/mutex.h"
#include "server/tenancy/registry.h"

namespace grove::control {

class LiveRegistry {
 public:
  // What `store` has. Both outlive it.
  LiveRegistry(Hub& hub, tenancy::RegistryStore& store, tenancy::Registry all)
      : hub_(hub), store_(store), all_(std::move(all)) {}

  const tenancy::Registry& all() const { return all_; }
  Mutex& changes() { return changes_; }

  // On disk and in all() on return with OK. UNAVAILABLE (REGISTRY_UNAVAILABLE, DRAINING),
  // RESOURCE_EXHAUSTED (REGISTRY_FULL): nothing has changed. **Parks.**
  absl::Status Write(tenancy::RegistryChange change);
  // What is being written is, nothing more will be. **Parks.**
  absl::Status Stop(OffloadPool& offload);

 private:
  Hub& hub_;
  tenancy::RegistryStore& store_;
  tenancy::Registry all_;
  Mutex changes_;
  bool stopped_ = false;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_LIVE_REGISTRY_H_
