// ScheduleStore: where schedules last.
//
// A change is written first, then answered. Knows nothing of times.
#ifndef GROVE_SERVER_SCHEDULES_SCHEDULE_STORE_H_
#define GROVE_SERVER_SCHEDULES_SCHEDULE_STORE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/schedule_service.pb.h"
#include "server/schedules/schedule_book.h"
#include "server/wall_time.h"

namespace grove::schedules {

struct StoredSchedule {
  ScheduleKey key;
  // As ScheduleState has them.
  v1::Schedule settings;
  v1::Schedule runs;
  WallMicros seen_us = 0;
};

// All of it or nothing.
struct ScheduleChange {
  struct Put {
    ScheduleKey key;
    // Unset: as they are.
    std::optional<v1::Schedule> settings;
    v1::Schedule runs;
    WallMicros seen_us = 0;
  };
  std::vector<Put> puts = {};
  std::vector<ScheduleKey> drops = {};
};

// Owned by one thread; Write() says where `done` is called.
class ScheduleStore {
 public:
  // On the store's own thread, or the caller's.
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~ScheduleStore() = default;
  // Once, before the first Write(), in the order of the keys. DATA_LOSS: a record does not parse.
  virtual absl::StatusOr<std::vector<StoredSchedule>> Load() = 0;
  // In the order of the calls; OK: it is on disk. RESOURCE_EXHAUSTED (no room), PERMISSION_DENIED,
  // DATA_LOSS, UNAVAILABLE: nothing has changed.
  virtual void Write(ScheduleChange change, Done done) = 0;
  // Writes what is pending. Nothing may be written afterwards.
  virtual void Stop() = 0;
};

// Of a daemon without a state directory, and of tests: forgets with the process.
class MemoryScheduleStore final : public ScheduleStore {
 public:
  absl::StatusOr<std::vector<StoredSchedule>> Load() override {
    return std::vector<StoredSchedule>();
  }
  void Write(ScheduleChange /*change*/, Done done) override { done(absl::OkStatus()); }
  void Stop() override {}
};

}  // namespace grove::schedules

#endif  // GROVE_SERVER_SCHEDULES_SCHEDULE_STORE_H_
