// StateLock: keeps a second daemon out of a state directory, and remembers its use.
//
// The lock is on the file `tasks.lock`. It also holds how many times the directory was used, and
// whether the last use came to its end: what an emptied database no longer tells. Blocks on the
// disk; one thread at a time.
#ifndef GROVE_SERVER_TASKS_STATE_LOCK_H_
#define GROVE_SERVER_TASKS_STATE_LOCK_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::tasks {

class StateLock {
 public:
  struct Use {
    uint64_t starts = 0;
    // The database was closed, and with it the write-ahead log was written back.
    bool closed = true;
  };

  // Makes the directory if need be. FAILED_PRECONDITION: another daemon has the lock.
  static absl::StatusOr<StateLock> Take(const std::string& state_dir);
  StateLock(StateLock&& other) noexcept;
  StateLock& operator=(StateLock&& other) noexcept;
  ~StateLock();

  // As of the last Remember(), by whoever; all of it 0 in a file of a version before.
  Use LastUse() const;
  // In place: needs no room on the volume, but for the first time.
  absl::Status Remember(const Use& use) const;

  // Takes the lock anew if its file was deleted or replaced, or its directory was.
  absl::Status Renew();

 private:
  StateLock(std::string state_dir, int fd) : state_dir_(std::move(state_dir)), fd_(fd) {}
  bool IsInPlace() const;

  std::string state_dir_;
  // -1 once moved from.
  int fd_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_STATE_LOCK_H_
