// RunFiles: the daemon's two directories and the small files in them.
//
// Makes state_dir and run_dir (0700, owned by this user), locks both against a second daemon, and
// leaves the pid and the addresses for tools and tests. Its end removes what it wrote.
#ifndef GROVE_SERVER_SUPERVISOR_RUN_FILES_H_
#define GROVE_SERVER_SUPERVISOR_RUN_FILES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace grove::supervisor {

class RunFiles {
 public:
  // kAlreadyExists: another daemon runs there. kFailedPrecondition: not a directory of this user
  // alone. Else what the file system said.
  static absl::StatusOr<RunFiles> Open(const std::string& state_dir, const std::string& run_dir);
  RunFiles(RunFiles&& other) noexcept = default;
  RunFiles& operator=(RunFiles&&) = delete;
  ~RunFiles();

  // RUN_DIR/`name` with `text` and a line end, complete at every moment.
  absl::Status Write(std::string_view name, std::string_view text);
  // To be removed at the end, beside what Write() made.
  void RemoveAtEnd(std::string path) { written_.push_back(std::move(path)); }
  // In a forked child: the locks stay with the parent alone.
  void CloseLocks();

  const std::string& run_dir() const { return run_dir_; }

 private:
  explicit RunFiles(std::string run_dir) : run_dir_(std::move(run_dir)) {}
  absl::Status Lock(const std::string& directory);

  std::string run_dir_;
  std::vector<int> locks_;
  std::vector<std::string> written_;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_RUN_FILES_H_
