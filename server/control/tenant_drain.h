// TenantDrain: brings tenants that are being deleted to their end.
//
// Its schedules go at once. Once none of a tenant's tasks waits or runs, it drops what they left,
// from memory and from disk, and then the tenant, with its tokens: until then its name is taken.
// Hub thread only.
#ifndef GROVE_SERVER_CONTROL_TENANT_DRAIN_H_
#define GROVE_SERVER_CONTROL_TENANT_DRAIN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/sync/event.h"
#include "server/control/engine_driver.h"
#include "server/control/live_registry.h"
#include "server/tenancy/directory.h"
#include "server/tenancy/token_book.h"

namespace grove::control {

// Between two looks at those that are being deleted: twice as long each time where looking is dear
// and changes nothing.
inline constexpr absl::Duration kDrainPauseMin = absl::Milliseconds(5);
inline constexpr absl::Duration kDrainPauseMax = absl::Seconds(1);

class TenantDrain {
 public:
  // All outlive it. Takes on those that the directory has as draining.
  TenantDrain(tenancy::Directory& directory, EngineDriver& driver, LiveRegistry& registry,
              tenancy::TokenBook& book);

  // Before Run(). Drops a tenant's schedules, from disk too. **Parks.**
  void set_drop_schedules(absl::AnyInvocable<absl::Status(std::string_view tenant)> drop) {
    drop_schedules_ = std::move(drop);
  }
  // Before Run(). Told the name of each that is gone.
  void set_on_gone(absl::AnyInvocable<void(const std::string& tenant)> on_gone) {
    on_gone_ = std::move(on_gone);
  }
  // The body of its fiber: until cancelled. **Parks.**
  absl::Status Run();
  // The tenant takes no tasks any more.
  void Begin(size_t tenant);
  // Cancels what waits or runs. **Parks.**
  void CancelTasks(size_t tenant);

 private:
  // One look. True: it is gone. **Parks.**
  bool Advance(size_t tenant);
  void DropEnded(size_t tenant);
  // From the registry, and then from everywhere. **Parks.**
  bool Remove(size_t tenant);
  void LookAtAll();
  absl::Status AwaitNews(uint64_t rounds, absl::Duration pause);

  tenancy::Directory& directory_;
  EngineDriver& driver_;
  LiveRegistry& registry_;
  tenancy::TokenBook& book_;
  absl::AnyInvocable<absl::Status(std::string_view tenant)> drop_schedules_ = [](std::string_view) {
    return absl::OkStatus();
  };
  absl::AnyInvocable<void(const std::string& tenant)> on_gone_ = [](const std::string&) {};
  // By index: the ticket of the last write of what was dropped; 0: not all of it is yet.
  absl::flat_hash_map<size_t, uint64_t> draining_;
  Event begun_;
  // The last look went through all tasks, and a tenant has some still.
  bool swept_in_vain_ = false;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TENANT_DRAIN_H_
