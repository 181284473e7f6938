// TenantLoad: what a tenant has under way, and TenantSweep: what may be done to all of it.
#ifndef GROVE_SERVER_TASKS_TENANT_LOAD_H_
#define GROVE_SERVER_TASKS_TENANT_LOAD_H_

#include <cstdint>

namespace grove::tasks {

// Tasks of a tenant that have not ended.
struct TenantLoad {
  int64_t queued = 0;
  int64_t scheduled = 0;
  int64_t running = 0;
  // Inputs of those that wait; slots that attempts hold, abandoned ones too.
  int64_t queued_bytes = 0;
  int64_t running_slots = 0;
  // Payloads on disk.
  int64_t payload_bytes = 0;

  int64_t live() const { return queued + scheduled + running; }
};

enum class TenantSweep { kCancel, kDropEnded };

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TENANT_LOAD_H_
