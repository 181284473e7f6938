// Ballast: a file that takes up room on a volume, to be thrown off when that is full.
//
// Deleting rows, too, needs room first, in the write-ahead log. Blocks on the disk; one thread at a
// time.
#ifndef GROVE_SERVER_TASKS_BALLAST_H_
#define GROVE_SERVER_TASKS_BALLAST_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace grove::tasks {

class Ballast {
 public:
  explicit Ballast(std::string path) : path_(std::move(path)) {}

  // Looks: whoever makes room by hand may delete it.
  bool IsHeld(int64_t bytes) const;
  // RESOURCE_EXHAUSTED: volume, quota or file size limit.
  absl::Status Make(int64_t bytes) const;
  // Leaves so much of it; false if there was no more.
  bool ThrowOff(int64_t bytes_left) const;

 private:
  const std::string path_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_BALLAST_H_
