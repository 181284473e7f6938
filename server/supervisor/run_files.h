// RunFiles: the daemon's two directories and the small files in them.
//
// Makes state_dir and run_dir (0700, owned by this user), locks both against a second daemon, and
// leaves the pid and the addresses for tools and tests. What a cleaner of old files removes is made
// anew (Restore). Its end removes what it wrote.
#ifndef GROVE_SERVER_SUPERVISOR_RUN_FILES_H_
#define GROVE_SERVER_SUPERVISOR_RUN_FILES_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "grove/internal/v1/handover.pb.h"

namespace grove::supervisor {

class RunFiles {
 public:
  // kAlreadyExists: another daemon runs there. kFailedPrecondition: not a directory of this user
  // alone. Else what the file system said.
  static absl::StatusOr<RunFiles> Open(const std::string& state_dir, const std::string& run_dir);
  // What an earlier program of this process had; the record's descriptors stay open.
  static absl::StatusOr<RunFiles> Adopt(const internal::v1::SupervisorHandover& handover);
  RunFiles(RunFiles&& other) noexcept = default;
  RunFiles& operator=(RunFiles&&) = delete;
  ~RunFiles();

  // RUN_DIR/`name` with `text` and a line end, complete at every moment.
  absl::Status Write(std::string_view name, std::string_view text);
  // To be removed at the end, beside what Write() made, where it is still there.
  void RemoveAtEnd(std::string path) { remove_at_end_.insert(std::move(path)); }
  // Makes anew what is missing: directories, locks, files. How many it made; kAlreadyExists:
  // another daemon has taken a directory meanwhile.
  absl::StatusOr<int> Restore();
  // In a forked child: the locks stay with the parent alone.
  void CloseLocks();
  // For the program that this process goes on as.
  void Describe(internal::v1::SupervisorHandover& handover) const;

  const std::string& run_dir() const { return run_dir_; }

 private:
  struct Lock {
    std::string directory;
    std::string key;
    int fd;
  };

  explicit RunFiles(std::string run_dir) : run_dir_(std::move(run_dir)) {}
  // The descriptor that holds it.
  static absl::StatusOr<int> TakeLock(const std::string& directory);
  // Whether it had to be taken anew, in a directory made anew if need be.
  static absl::StatusOr<bool> Retake(Lock& lock);
  absl::Status Put(const std::string& path, const std::string& line);

  std::string run_dir_;
  std::vector<Lock> locks_;
  std::set<std::string> remove_at_end_;
  std::map<std::string, std::string> written_;  // what, by path
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_RUN_FILES_H_
