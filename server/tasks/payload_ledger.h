// PayloadLedger: which payloads there are, whose they are, and which tasks and schedules name them.
//
// A payload that nothing names is kept until its time is over; one that a task or a schedule has
// named goes with the last one that does, and not before that one's own deletion is on disk, so
// that no crash leaves a task without its payload. Counts bytes, and what is still being written,
// against what a tenant and the daemon may have. Pure: told the time, it says which files are to
// go, and touches none. Owned by control; hub thread only.
#ifndef GROVE_SERVER_TASKS_PAYLOAD_LEDGER_H_
#define GROVE_SERVER_TASKS_PAYLOAD_LEDGER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tasks/task_id.h"
#include "server/wall_time.h"

namespace grove::tasks {

// Of all tenants: a record takes some 300 bytes of control's memory, and a start reads each head.
inline constexpr size_t kPayloadsMax = 100'000;
// After a start, for the worker's word of a task's output whose end was not stored yet.
inline constexpr int64_t kOutputGraceUs = int64_t{600} * 1'000'000;

struct PayloadBoundsOfAll {
  // tasks.payloads_max_bytes, tasks.payload_retention_ms
  int64_t bytes_max = INT64_MAX;
  int64_t retention_us = 0;
  size_t number_max = kPayloadsMax;
};

struct PayloadRecord {
  // Short name.
  std::string tenant;
  TaskId id;
  int64_t size_bytes = 0;
  // In hexadecimal.
  std::string sha256;
  std::string content_type;
  WallMicros create_us = 0;
  // Written by a task: without one that names it, it is nobody's.
  bool is_output = false;

  // The ledger's from here on: tasks and schedules that name it; when it goes, while there are
  // none, and which write has to be on disk by then.
  int64_t tasks = 0;
  int64_t schedules = 0;
  WallMicros expire_us = 0;
  uint64_t ticket = 0;

  std::string name() const;
  bool is_named() const { return tasks > 0 || schedules > 0; }
};

class PayloadLedger {
 public:
  // Whole payloads of a tenant.
  struct Held {
    int64_t files = 0;
    int64_t bytes = 0;
  };

  explicit PayloadLedger(const PayloadBoundsOfAll& bounds) : bounds_(bounds) {}

  // --- Bytes

  // Before they are written. `tenant_max`: quotas.payload_bytes_max, 0: none.
  // RESOURCE_EXHAUSTED: QUOTA_PAYLOAD_BYTES, PAYLOADS_FULL.
  absl::Status Reserve(std::string_view tenant, int64_t bytes, int64_t tenant_max);
  // What was reserved is not needed, or a record has it now.
  void Unreserve(std::string_view tenant, int64_t bytes);
  int64_t BytesOf(std::string_view tenant) const;
  // By tenant; those that have any.
  const absl::flat_hash_map<std::string, Held>& held() const { return held_of_; }
  int64_t bytes() const { return bytes_; }
  size_t size() const { return records_.size(); }

  // --- Payloads

  // Whole, and on disk. No effect if it is there.
  void Add(PayloadRecord record);
  // nullptr: there is none of this name.
  const PayloadRecord* Find(std::string_view name) const;
  // Those after `after`, by name, of one tenant or, where that is empty, of all.
  std::vector<const PayloadRecord*> List(std::string_view tenant,
                                         const std::pair<std::string, TaskId>& after,
                                         size_t max) const;
  // FAILED_PRECONDITION (PAYLOAD_IN_USE). Requires that it is there.
  absl::Status Remove(std::string_view name);
  // The tenant is gone.
  void RemoveAllOf(std::string_view tenant);

  // --- Tasks

  // No effect where there is no such payload, or the task holds it already.
  void Hold(std::string_view name, TaskId task);
  // The task does not name it any more, as the write `ticket` says.
  void Release(std::string_view name, TaskId task, uint64_t ticket);
  // The task is forgotten.
  void ReleaseAll(TaskId task, uint64_t ticket);

  // --- Schedules

  // A schedule names it, or does no more, as is on disk. No effect where there is no such payload.
  void HoldForSchedule(std::string_view name);
  void ReleaseFromSchedule(std::string_view name);
  // What HoldForSchedule() was for has not come to be: it is as it was before.
  void UndoHoldForSchedule(std::string_view name);

  // --- Time

  // All tasks have been restored: outputs that none of them names wait for kOutputGraceUs.
  void EndRecovery(WallMicros now_us);
  // Takes those out that are to go now: their files are to be removed.
  std::vector<TaskId> TakeLeaving(WallMicros now_us,
                                  absl::FunctionRef<bool(uint64_t ticket)> is_on_disk);

 private:
  using Key = std::pair<std::string, TaskId>;

  PayloadRecord* Mutable(std::string_view name);
  // From now on it waits for its end, or does not.
  void Await(const PayloadRecord& record);
  void Unawait(const PayloadRecord& record);
  // Whatever names it, it goes.
  void Drop(PayloadRecord& record);
  // One less names it: after the last one it goes.
  void LetGo(PayloadRecord& record, uint64_t ticket);

  const PayloadBoundsOfAll bounds_;

  absl::btree_map<Key, PayloadRecord> records_;
  // Those that nothing names, by when they go.
  absl::btree_set<std::pair<WallMicros, Key>> unused_;
  absl::flat_hash_map<TaskId, std::vector<std::string>> names_of_;
  int64_t bytes_ = 0;
  absl::flat_hash_map<std::string, Held> held_of_;
  int64_t reserved_ = 0;
  absl::flat_hash_map<std::string, int64_t> reserved_of_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_PAYLOAD_LEDGER_H_
