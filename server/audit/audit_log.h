// AuditLog: who changed what, from where and why, and what came of it, a line each.
//
// The lines go to a file of their own, as JSON, or where there is none to the daemon's log. Any
// thread.
#ifndef GROVE_SERVER_AUDIT_AUDIT_LOG_H_
#define GROVE_SERVER_AUDIT_AUDIT_LOG_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/config/v1/config.pb.h"
#include "server/audit/audit_file.h"

namespace grove::audit {

inline constexpr std::string_view kDefaultFile = "audit.log";
// What stands for the daemon's log.
inline constexpr std::string_view kDaemonLog = "-";
inline constexpr absl::Duration kLastLinesMax = absl::Seconds(1);

// Empty where there is nothing to say.
struct AuditEntry {
  std::string_view method;    // "/grove.v1.TaskService/SpawnTask"
  std::string_view who;       // "token ci"; "local" where no token is needed
  std::string_view peer;      // "ipv4:10.0.0.7:41830"
  std::string_view tenant;    // whose token it is; empty: the operators'
  std::string_view resource;  // "tenants/acme/queues/default"
  std::string_view asked;     // the rest of the request, as text
  std::string_view reason;    // in the caller's words
  std::string_view result;    // "OK", "NOT_FOUND"
  std::string_view answer;    // what it began or changed, or the error's text
};

// One JSON object and a '\n'. Pure.
std::string FormatAuditLine(absl::Time time, std::string_view process, const AuditEntry& entry);

// Where the config has it: `audit.file`, or kDefaultFile, in state_dir unless it is absolute.
// Empty: in the daemon's log; also where there is no state_dir. Pure.
std::string FileOf(const config::v1::Config& config);

// For the rare entry of another process: at once, into the config's file, or where that cannot be
// written, which is logged, into the daemon's log. Blocks as the disk does.
void WriteAuditLine(const config::v1::Config& config, std::string_view process,
                    const AuditEntry& entry);

class AuditLog {
 public:
  // Into the daemon's log.
  AuditLog() = default;
  // Opens the config's file and starts its thread; not before the last fork. INVALID_ARGUMENT,
  // "audit.file: …"; RESOURCE_EXHAUSTED: it may go next time.
  static absl::StatusOr<AuditLog> Open(const config::v1::Config& config, std::string process);

  void Write(const AuditEntry& entry) const;
  // False: the file takes nothing, and so much waits for it that nothing more should be changed.
  bool HasRoom() const { return file_ == nullptr || file_->HasRoom(); }
  bool has_file() const { return file_ != nullptr; }
  // Null where it has none.
  const AuditFileStats* stats() const { return file_ == nullptr ? nullptr : &file_->stats(); }
  // Waits until all is in the file, for at most kLastLinesMax. Blocks.
  void Flush();

 private:
  std::string process_;
  std::unique_ptr<AuditFile> file_;
};

}  // namespace grove::audit

#endif  // GROVE_SERVER_AUDIT_AUDIT_LOG_H_
