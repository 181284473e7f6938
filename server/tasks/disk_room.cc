#include "server/tasks/disk_room.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::tasks {
namespace {

// An end with the largest output takes 4 MiB in the log and 4 in the database.
constexpr int64_t kBallastBytesMax = int64_t{8} << 20;

// Of figures of which one may be INT64_MAX, for "without end".
int64_t Add(int64_t a, int64_t b) {
  return a > INT64_MAX - b ? INT64_MAX : a + b;
}

}  // namespace

VolumeSpace ProbeVolume(const std::string& folder) {
  struct statvfs volume = {};
  if (statvfs(folder.c_str(), &volume) != 0 || volume.f_blocks == 0) return {};
  const auto unit = static_cast<int64_t>(volume.f_frsize);
  return {.available_bytes = static_cast<int64_t>(volume.f_bavail) * unit,
          .total_bytes = static_cast<int64_t>(volume.f_blocks) * unit};
}

DiskRoom::DiskRoom(std::string folder, int64_t reserve_bytes, VolumeSpace volume)
    : folder_(std::move(folder)),
      reserve_bytes_(std::min(reserve_bytes, volume.total_bytes / 10)) {}

int64_t DiskRoom::ballast_bytes() const {
  return std::min(kBallastBytesMax, reserve_bytes_ / 2);
}

void DiskRoom::Measure(const VolumeSpace& volume, int64_t reusable_bytes, int64_t pending_bytes,
                       bool ballast_held) {
  ballast_held_ = ballast_held;
  available_bytes_ =
      std::max<int64_t>(volume.available_bytes - (ballast_held ? 0 : ballast_bytes()), 0);
  free_bytes_ = std::max<int64_t>(Add(available_bytes_, reusable_bytes) - pending_bytes, 0);
  // Without the ballast nothing is left for what must be written in order to free.
  const int64_t wanted = low_ ? reserve_bytes_ + reserve_bytes_ / 8 : reserve_bytes_;
  low_ = !ballast_held || free_bytes_ < wanted || available_bytes_ < floor_bytes();
}

absl::Status DiskRoom::status() const {
  if (!low_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      StrCat("little room is left for durable tasks: ", free_bytes_ >> 10, " KiB in ", folder_,
             ", where ", reserve_bytes_ >> 10, " KiB are kept free (tasks.disk_reserve_bytes)"));
}

int64_t DiskRoom::insert_bytes_max() const {
  // Once in the log, once in the database.
  return std::max<int64_t>((available_bytes_ - floor_bytes()) / 2, 0);
}

}  // namespace grove::tasks
