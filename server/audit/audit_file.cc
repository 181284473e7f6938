#include "server/audit/audit_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"
#include "server/log.h"

namespace grove::audit {
namespace {

constexpr mode_t kMode = 0640;

absl::StatusOr<int> OpenFile(const std::string& path) {
  // O_NONBLOCK is for pipes: without a reader, opening one is an error and not a wait.
  const int fd =
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kMode);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  return fd;
}

// Whether the path leads to another file now, or to none.
bool WasMoved(int fd, const std::string& path) {
  struct stat ours;
  struct stat there;
  if (fstat(fd, &ours) != 0) return false;
  if (stat(path.c_str(), &there) != 0) return errno == ENOENT;
  return ours.st_dev != there.st_dev || ours.st_ino != there.st_ino;
}

uint64_t CountLines(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

struct AuditFile::Shared {
  Shared(AuditFileOptions options, int fd) : options(std::move(options)), fd(fd) {}
  ~Shared() {
    if (fd >= 0) close(fd);
  }

  // The thread's life.
  void Run();
  // Waits for lines, gathers more of them, and takes them; false at the end.
  bool Take();
  // Until all is written, or there is no patience left.
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

  std::mutex mutex;
  std::condition_variable wake;   // the thread
  std::condition_variable ended;  // Stop()
  // Guarded by mutex.
  std::string queue;
  bool stopping = false;
  bool impatient = false;
  bool done = false;

  // The thread's own.
  int fd;
  std::string batch;
  size_t written = 0;  // of batch
};

void AuditFile::Shared::Run() {
  while (Take()) WriteAll();
  std::lock_guard lock(mutex);
  done = true;
  ended.notify_all();
}

bool AuditFile::Shared::Take() {
  std::unique_lock lock(mutex);
  wake.wait(lock, [&] { return !queue.empty() || stopping; });
  wake.wait_for(lock, absl::ToChronoMilliseconds(kGatherTime), [&] { return stopping; });
  if (stopping && (queue.empty() || impatient)) return false;
  batch.clear();
  written = 0;
  std::swap(batch, queue);
  return true;
}

void AuditFile::Shared::WriteAll() {
  Follow();
  while (written < batch.size()) {
    const bool failed = !WriteSome();
    Report(failed, failed ? std::string(ErrnoStatus(errno, "write").message()) : "");
    if (!failed) continue;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, absl::ToChronoMilliseconds(options.retry_after), [&] { return impatient; });
    if (impatient) return;
    lock.unlock();
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
  const absl::StatusOr<int> opened = OpenFile(options.path);
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
  const absl::StatusOr<int> fd = OpenFile(path);
  if (!fd.ok()) return fd.status();
  const ssize_t put = write(*fd, line.data(), line.size());
  const int error = put < 0 ? errno : ENOSPC;
  close(*fd);
  if (put == static_cast<ssize_t>(line.size())) return absl::OkStatus();
  return ErrnoStatus(error, absl::StrCat("write ", path));
}

absl::StatusOr<std::unique_ptr<AuditFile>> AuditFile::Open(AuditFileOptions options) {
  const absl::StatusOr<int> fd = OpenFile(options.path);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<AuditFile>(
      new AuditFile(std::make_shared<Shared>(std::move(options), *fd)));
}

AuditFile::~AuditFile() {
  Stop(absl::ZeroDuration());
}

void AuditFile::Start() {
  started_ = true;
  // Signals are for the threads that wait for them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // Detached: Stop() waits for its end, but not for ever.
  std::thread([shared = shared_] { shared->Run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void AuditFile::Stop(absl::Duration patience) {
  if (!std::exchange(started_, false)) return;
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->wake.notify_one();
  const auto done = [&] { return shared_->done; };
  if (shared_->ended.wait_for(lock, absl::ToChronoMilliseconds(patience), done)) return;
  shared_->impatient = true;
  shared_->wake.notify_one();
  const uint64_t bytes = shared_->stats.bytes_waiting.load(std::memory_order_relaxed);
  lock.unlock();
  if (bytes == 0) return;
  Log(LogLevel::kError, "lines of the audit log are lost: its file did not take them in time",
      {{"file", shared_->options.path}, {"bytes", bytes}});
}

void AuditFile::Append(std::string_view line) {
  Shared& shared = *shared_;
  bool wake = false;
  {
    std::lock_guard lock(shared.mutex);
    wake = shared.queue.empty();
    shared.queue.append(line);
    shared.stats.bytes_waiting.fetch_add(line.size(), std::memory_order_relaxed);
  }
  if (wake) shared.wake.notify_one();
}

bool AuditFile::HasRoom() const {
  return shared_->stats.bytes_waiting.load(std::memory_order_relaxed) <
         shared_->options.waiting_bytes_max;
}

const AuditFileStats& AuditFile::stats() const {
  return shared_->stats;
}

}  // namespace grove::audit
