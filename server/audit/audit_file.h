// AuditFile: appends lines to a file on a thread of its own, and gives up none of them.
//
// Unlike the access log's (server/access_log/line_writer.h) its lines are never dropped while the
// process lives: what the disk does not take waits in memory and is tried again, and who makes
// changes asks HasRoom() first. The thread writes all that waits in one write(2). A file that has
// grown to its bound is renamed to "PATH.1", the older ones to "PATH.2" and so on; several
// processes may append to one path and rotate it.
#ifndef GROVE_SERVER_AUDIT_AUDIT_FILE_H_
#define GROVE_SERVER_AUDIT_AUDIT_FILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grove::audit {

// A line is in the kernel's hands this much later: what a killed process loses at most.
inline constexpr absl::Duration kGatherTime = absl::Milliseconds(5);

struct AuditFileOptions {
  std::string path;
  // Rotated from here on.
  int64_t bytes_max = 64 << 20;
  // Older files that are kept.
  int files_max = 10;
  // HasRoom() is false while as much waits.
  size_t waiting_bytes_max = 4 << 20;
  // After a failure.
  absl::Duration retry_after = absl::Seconds(1);
};

// Any thread may read it.
struct AuditFileStats {
  std::atomic<uint64_t> lines{0};  // written
  std::atomic<uint64_t> bytes_waiting{0};
  std::atomic<bool> failing{false};
};

// Opens `path` with O_APPEND, writes `line` and closes it: for the rare line of a process without a
// thread for them. Blocks as the disk does.
absl::Status AppendAuditLine(const std::string& path, std::string_view line);

class AuditFile {
 public:
  // Opens the file, which is made with mode 0640 if missing. What open(2) says.
  static absl::StatusOr<std::unique_ptr<AuditFile>> Open(AuditFileOptions options);
  // As Stop(), without patience.
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Starts the thread; not before the last fork. Until then lines wait.
  void Start();
  // Ends it when all that waits is written, or after `patience`; what is left then is lost, and
  // logged. Blocks.
  void Stop(absl::Duration patience);

  // Any thread. Takes a lock that is only ever held for as long as a copy takes.

  // `line` with its '\n'.
  void Append(std::string_view line);
  bool HasRoom() const;
  const AuditFileStats& stats() const;

 private:
  struct Shared;
  explicit AuditFile(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  // Also the thread's, which may outlive us.
  const std::shared_ptr<Shared> shared_;
  bool started_ = false;
};

}  // namespace grove::audit

#endif  // GROVE_SERVER_AUDIT_AUDIT_FILE_H_
