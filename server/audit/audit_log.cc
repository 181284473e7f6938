#include "server/audit/audit_log.h"

#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/log.h"

namespace grove::audit {
namespace {

// Calls `write` with all of it.
template <typename Write>
auto WithFields(const AuditEntry& entry, Write write) {
  return write(std::initializer_list<LogField>{{"method", entry.method},
                                               {"who", entry.who},
                                               {"peer", entry.peer},
                                               {"tenant", entry.tenant},
                                               {"resource", entry.resource},
                                               {"asked", entry.asked},
                                               {"reason", entry.reason},
                                               {"result", entry.result},
                                               {"answer", entry.answer}});
}

void LogEntry(const AuditEntry& entry) {
  WithFields(entry, [](auto fields) { Log(LogLevel::kInfo, "audit", fields); });
}

}  // namespace

std::string FormatAuditLine(absl::Time time, std::string_view process, const AuditEntry& entry) {
  return WithFields(entry, [&](auto fields) {
    return FormatLogLine(LogFormat::kJson, time, LogLevel::kInfo, process, "audit", fields);
  });
}

std::string FileOf(const config::v1::Config& config) {
  std::string file = config.audit().file();
  if (file.empty()) file = kDefaultFile;
  if (file == kDaemonLog) return "";
  if (file.starts_with('/')) return file;
  return config.state_dir().empty() ? "" : absl::StrCat(config.state_dir(), "/", file);
}

void WriteAuditLine(const config::v1::Config& config, std::string_view process,
                    const AuditEntry& entry) {
  const std::string file = FileOf(config);
  if (file.empty()) return LogEntry(entry);
  const absl::Status written = AppendAuditLine(file, FormatAuditLine(absl::Now(), process, entry));
  if (written.ok()) return;
  Log(LogLevel::kError, "cannot write the audit log", {{"error", written.message()}});
  LogEntry(entry);
}

absl::StatusOr<AuditLog> AuditLog::Open(const config::v1::Config& config, std::string process) {
  AuditLog log;
  AuditFileOptions options{.path = FileOf(config)};
  if (options.path.empty()) return log;
  if (config.audit().file_max_bytes() > 0) options.bytes_max = config.audit().file_max_bytes();
  if (config.audit().files_max() > 0) options.files_max = config.audit().files_max();
  absl::StatusOr<std::unique_ptr<AuditFile>> file = AuditFile::Open(std::move(options));
  if (!file.ok()) {
    const std::string text = absl::StrCat("audit.file: ", file.status().message());
    // No descriptor or no room passes; all else is the config's fault.
    if (absl::IsResourceExhausted(file.status())) return absl::ResourceExhaustedError(text);
    return absl::InvalidArgumentError(text);
  }
  log.process_ = std::move(process);
  log.file_ = *std::move(file);
  log.file_->Start();
  return log;
}

void AuditLog::Write(const AuditEntry& entry) const {
  if (file_ != nullptr) return file_->Append(FormatAuditLine(absl::Now(), process_, entry));
  LogEntry(entry);
}

void AuditLog::Flush() {
  if (file_ != nullptr) file_->Stop(kLastLinesMax);
}

}  // namespace grove::audit
