// ScheduleBook: all schedules, by name, and which of them is to be looked at next.
//
// Holds states and knows their wakes; what is done with them is its owner's. Pure: no clock, no
// I/O. One thread at a time.
#ifndef GROVE_SERVER_SCHEDULES_SCHEDULE_BOOK_H_
#define GROVE_SERVER_SCHEDULES_SCHEDULE_BOOK_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "server/schedules/schedule_state.h"
#include "server/wall_time.h"

namespace grove::schedules {

// Some kilobytes each.
inline constexpr size_t kSchedulesPerTenantMax = 1000;
inline constexpr size_t kSchedulesMax = 100'000;
// What a tenant's schedules take together, inputs included: they are in memory.
inline constexpr size_t kScheduleBytesPerTenantMax = 16 << 20;

// The tenant's short name and the schedule's. Its order is the lists'.
using ScheduleKey = std::pair<std::string, std::string>;

class ScheduleBook {
 public:
  // Takes the place of one that has the key.
  ScheduleState& Put(const ScheduleKey& key, ScheduleState state);
  void Remove(const ScheduleKey& key);
  // Null: there is none.
  ScheduleState* Find(const ScheduleKey& key);
  const ScheduleState* Find(const ScheduleKey& key) const;
  // Its wake may be another: after every event of its state.
  void Changed(const ScheduleKey& key);
  // It has no wake until Changed().
  void Suspend(const ScheduleKey& key);

  // INT64_MAX: none is to be looked at.
  WallMicros NextWake() const;
  // Those whose wake has come, the earliest first.
  std::vector<ScheduleKey> Due(WallMicros now_us) const;
  // In order: those after `after`, of one tenant, or of all where it is empty; at most `max`.
  std::vector<ScheduleKey> KeysAfter(const ScheduleKey& after, std::string_view tenant,
                                     size_t max) const;
  std::vector<ScheduleKey> KeysOf(std::string_view tenant) const;
  size_t size() const { return entries_.size(); }
  size_t CountOf(std::string_view tenant) const;
  // Of what was set, without the one of that key.
  size_t BytesBeside(const ScheduleKey& key) const;

 private:
  struct Entry {
    ScheduleState state;
    WallMicros wake_us;
  };
  using Entries = absl::btree_map<ScheduleKey, std::unique_ptr<Entry>>;

  void SetWake(const ScheduleKey& key, Entry& entry, WallMicros wake_us);

  Entries entries_;
  // Those that have a wake.
  std::set<std::pair<WallMicros, ScheduleKey>> wakes_;
};

}  // namespace grove::schedules

#endif  // GROVE_SERVER_SCHEDULES_SCHEDULE_BOOK_H_
