#include "server/audit/audit_file.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"
#include "server/line_queue.h"
#include "server/log.h"

namespace grove::audit {

struct AuditFile::Shared {
  Shared(AuditFileOptions options, int fd) : options(std::move(options)), fd(fd) {}
  ~Shared() {
    if (fd >= 0) close(fd);
  }

  // Until all of `batch` is written, or the queue has given up.
  void WriteAll();
  // As far as it goes; false with errno set.
  bool WriteSome();
  void Report(bool failed, const std::string& error);
  // The file that the path leads to now.
  void Follow();
  void OpenAnew();
  // If the file is large enough, and nobody else did it.
  void Rotate();

  const AuditFileOptions options;
  AuditFileStats stats;

  LineQueue lines{kGatherTime, SIZE_MAX};

  // The thread's own.
  int fd;
  std::string batch;
  size_t written = 0;  // of batch
};

void AuditFile::Shared::WriteAll() {
  written = 0;
  Follow();
  while (written < batch.size()) {
    const bool failed = !WriteSome();
    Report(failed, failed ? std::string(ErrnoStatus(errno, "write").message()) : "");
    if (!failed) continue;
    if (!lines.Pause(options.retry_after)) return;
    Follow();
  }
  Rotate();
}

bool AuditFile::Shared::WriteSome() {
  ssize_t put = 0;
  do put = write(fd, batch.data() + written, batch.size() - written);
  while (put < 0 && errno == EINTR);
  if (put < 0) return false;
  const std::string_view text(batch.data() + written, static_cast<size_t>(put));
  stats.lines.fetch_add(CountLines(text), std::memory_order_relaxed);
  stats.bytes_waiting.fetch_sub(text.size(), std::memory_order_relaxed);
  written += text.size();
  return true;
}

void AuditFile::Shared::Report(bool failed, const std::string& error) {
  if (stats.failing.exchange(failed, std::memory_order_relaxed) == failed) return;
  if (failed) {
    return Log(LogLevel::kError, "cannot write the audit log: its lines wait until it works again",
               {{"file", options.path}, {"error", error}});
  }
  Log(LogLevel::kInfo, "the audit log is written again", {{"file", options.path}});
}

void AuditFile::Shared::Follow() {
  if (WasMoved(fd, options.path)) OpenAnew();
}

void AuditFile::Shared::OpenAnew() {
  const absl::StatusOr<int> opened = OpenForLines(options.path);
  if (!opened.ok()) {
    return Log(LogLevel::kError, "cannot reopen the audit log: the old file goes on",
               {{"error", opened.status().message()}});
  }
  close(std::exchange(fd, *opened));
  // A line that was begun in the old one stands in the new one whole.
  if (written == 0 || written == batch.size()) return;
  const size_t end = batch.rfind('\n', written - 1);
  const size_t begin = end == std::string::npos ? 0 : end + 1;
  stats.bytes_waiting.fetch_add(written - begin, std::memory_order_relaxed);
  written = begin;
}

void AuditFile::Shared::Rotate() {
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < options.bytes_max) return;
  // Another process may be at it.
  if (flock(fd, LOCK_EX) != 0) return;
  if (!WasMoved(fd, options.path)) {
    const auto name = [&](int number) { return absl::StrCat(options.path, ".", number); };
    for (int number = options.files_max; number > 1; --number) {
      // There may be none yet.
      rename(name(number - 1).c_str(), name(number).c_str());
    }
    if (rename(options.path.c_str(), name(1).c_str()) != 0) {
      Log(LogLevel::kError, "cannot rotate the audit log: it goes on growing",
          {{"error", ErrnoStatus(errno, absl::StrCat("rename ", options.path)).message()}});
    }
  }
  flock(fd, LOCK_UN);
  Follow();
}

absl::Status AppendAuditLine(const std::string& path, std::string_view line) {
  const absl::StatusOr<int> fd = OpenForLines(path);
  if (!fd.ok()) return fd.status();
  const ssize_t put = write(*fd, line.data(), line.size());
  const int error = put < 0 ? errno : ENOSPC;
  close(*fd);
  if (put == static_cast<ssize_t>(line.size())) return absl::OkStatus();
  return ErrnoStatus(error, absl::StrCat("write ", path));
}

absl::StatusOr<std::unique_ptr<AuditFile>> AuditFile::Open(AuditFileOptions options) {
  const absl::StatusOr<int> fd = OpenForLines(options.path);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<AuditFile>(
      new AuditFile(std::make_shared<Shared>(std::move(options), *fd)));
}

AuditFile::~AuditFile() {
  Stop(absl::ZeroDuration());
}

void AuditFile::Start() {
  started_ = true;
  StartDetached([shared = shared_] {
    shared->lines.Run([&shared](std::string& batch) {
      std::swap(shared->batch, batch);
      shared->WriteAll();
    });
  });
}

void AuditFile::Stop(absl::Duration patience) {
  if (!std::exchange(started_, false)) return;
  shared_->lines.Stop(patience);
  if (!shared_->lines.has_given_up()) return;
  const uint64_t bytes = shared_->stats.bytes_waiting.load(std::memory_order_relaxed);
  if (bytes == 0) return;
  Log(LogLevel::kError, "lines of the audit log are lost: its file did not take them in time",
      {{"file", shared_->options.path}, {"bytes", bytes}});
}

void AuditFile::Append(std::string_view line) {
  // Before the thread can have written it.
  shared_->stats.bytes_waiting.fetch_add(line.size(), std::memory_order_relaxed);
  shared_->lines.Append(line);
}

bool AuditFile::HasRoom() const {
  return shared_->stats.bytes_waiting.load(std::memory_order_relaxed) <
         shared_->options.waiting_bytes_max;
}

const AuditFileStats& AuditFile::stats() const {
  return shared_->stats;
}

}  // namespace grove::audit
