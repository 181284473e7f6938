// DiskRoom: is there room for new tasks on the store's volume?
//
// A reserve is kept free, so that what was accepted can end and be deleted when the rest is full.
// Counts as free what the volume has available and what the database has deleted and can use again.
// Does no I/O: told the figures, it answers. One thread at a time.
#ifndef GROVE_SERVER_TASKS_DISK_ROOM_H_
#define GROVE_SERVER_TASKS_DISK_ROOM_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace grove::tasks {

struct VolumeSpace {
  int64_t available_bytes = INT64_MAX;
  int64_t total_bytes = INT64_MAX;
};
using VolumeProbe = std::function<VolumeSpace()>;

// By statvfs(3). A volume that does not tell its size is taken for one without end.
VolumeSpace ProbeVolume(const std::string& folder);

class DiskRoom {
 public:
  // `reserve_bytes` as tasks.disk_reserve_bytes.
  DiskRoom(std::string folder, int64_t reserve_bytes, VolumeSpace volume);

  // Kept free; a tenth of the volume at most.
  int64_t reserve_bytes() const { return reserve_bytes_; }
  // Size of the file that takes part of the volume until it is needed (Ballast).
  int64_t ballast_bytes() const;

  // `reusable_bytes`: free pages of the database. `pending_bytes`: new tasks not yet written.
  // `ballast_held`: if it is not, or is not enough, room for it is owed and does not count as
  // available.
  void Measure(const VolumeSpace& volume, int64_t reusable_bytes, int64_t pending_bytes,
               bool ballast_held);

  // OK or RESOURCE_EXHAUSTED. Once low, it is OK again when a little more than the reserve is free.
  absl::Status status() const;
  bool IsLow() const { return low_; }
  // Write in small steps, and give the volume back what can be given.
  bool IsShort() const { return low_ || available_bytes_ < reserve_bytes_ / 2; }
  // The database should give its free pages back to the volume.
  bool WantsShrinking() const { return !ballast_held_ || available_bytes_ < reserve_bytes_ / 2; }
  bool HasRoomForBallast() const { return available_bytes_ >= floor_bytes(); }
  // New tasks of this size in all may still be written: the rest is for ends and deletions.
  int64_t insert_bytes_max() const;

 private:
  int64_t floor_bytes() const { return reserve_bytes_ / 4; }

  const std::string folder_;
  const int64_t reserve_bytes_;

  int64_t available_bytes_ = INT64_MAX;
  int64_t free_bytes_ = INT64_MAX;
  bool ballast_held_ = true;
  bool low_ = false;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_DISK_ROOM_H_
