#include "server/access_log/line_writer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"
#include "server/log.h"

namespace grove::access_log {
namespace {

constexpr mode_t kMode = 0640;

absl::StatusOr<int> OpenTarget(const std::string& path) {
  // Our own copy: closing it leaves the standard output alone. O_NONBLOCK is for pipes: without a
  // reader, opening one is an error and not a wait.
  const int fd =
      path == "-" ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                  : open(path.c_str(),
                         O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kMode);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  return fd;
}

bool IsRegular(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
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

// As many whole lines as the kernel keeps in one piece; one that is longer goes in pieces.
std::string_view Piece(std::string_view batch) {
  if (batch.size() <= PIPE_BUF) return batch;
  const size_t end = batch.substr(0, PIPE_BUF).rfind('\n');
  return batch.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

}  // namespace

struct LineWriter::Shared {
  Shared(std::string path, size_t queue_bytes_max, int fd)
      : path(std::move(path)), queue_bytes_max(queue_bytes_max), fd(fd), regular(IsRegular(fd)) {}
  ~Shared() {
    if (fd >= 0) close(fd);
  }

  // The thread's life.
  void Run();
  // Waits for lines and gathers more of them; false at the end. Leaves them in `batch`.
  bool Take();
  void OpenAnew();
  void WriteBatch();
  // False: given up, with errno set.
  bool WritePiece(std::string_view piece);
  bool given_up() {
    std::lock_guard lock(mutex);
    return impatient;
  }

  const std::string path;
  const size_t queue_bytes_max;
  LineWriterStats stats;

  std::mutex mutex;
  std::condition_variable wake;   // the thread
  std::condition_variable ended;  // Stop()
  // Guarded by mutex.
  std::string queue;
  bool reopen = false;
  bool stopping = false;
  bool impatient = false;
  bool done = false;

  // The thread's own.
  int fd;
  bool regular;
  std::string batch;
  bool torn = false;     // a line stands there without its end
  bool failing = false;  // and that was logged
};

void LineWriter::Shared::Run() {
  while (Take()) WriteBatch();
  std::lock_guard lock(mutex);
  done = true;
  ended.notify_all();
}

bool LineWriter::Shared::Take() {
  batch.clear();
  std::unique_lock lock(mutex);
  wake.wait(lock, [&] { return !queue.empty() || reopen || stopping; });
  const auto hurry = [&] { return stopping || reopen || queue.size() >= queue_bytes_max / 2; };
  wake.wait_for(lock, absl::ToChronoMilliseconds(kLineGatherTime), hurry);
  if (stopping && (queue.empty() || impatient)) return false;
  const bool anew = std::exchange(reopen, false);
  std::swap(batch, queue);
  lock.unlock();
  if (path != "-" && (anew || (regular && WasMoved(fd, path)))) OpenAnew();
  return true;
}

void LineWriter::Shared::OpenAnew() {
  const absl::StatusOr<int> opened = OpenTarget(path);
  if (!opened.ok()) {
    Log(LogLevel::kError, "cannot reopen the access log: the old file goes on",
        {{"error", opened.status().message()}});
    return;
  }
  close(std::exchange(fd, *opened));
  regular = IsRegular(fd);
  torn = false;
}

void LineWriter::Shared::WriteBatch() {
  if (batch.empty()) return;
  if (std::exchange(torn, false)) batch.insert(0, 1, '\n');
  std::string_view rest = batch;
  uint64_t failed = 0;
  while (!rest.empty() && failed == 0) {
    const std::string_view piece = regular ? rest : Piece(rest);
    if (!WritePiece(piece)) failed = CountLines(rest);
    if (failed == 0) rest.remove_prefix(piece.size());
  }
  stats.lines.fetch_add(CountLines(batch) - CountLines(rest), std::memory_order_relaxed);
  stats.dropped.fetch_add(failed, std::memory_order_relaxed);
  const bool was_failing = std::exchange(failing, failed > 0);
  if (failing && !was_failing && !given_up()) {
    Log(LogLevel::kError, "cannot write the access log: lines are dropped until it works again",
        {{"file", path}, {"error", ErrnoStatus(errno, "write").message()}});
  }
}

bool LineWriter::Shared::WritePiece(std::string_view piece) {
  while (!piece.empty()) {
    // What never takes anything must not keep us from ending.
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    if (!regular && poll(&ready, 1, 100) == 0) {
      if (given_up()) return false;
      continue;
    }
    const ssize_t put = write(fd, piece.data(), piece.size());
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put <= 0) return false;
    torn = piece[static_cast<size_t>(put) - 1] != '\n';
    piece.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

absl::StatusOr<std::unique_ptr<LineWriter>> LineWriter::Open(const std::string& path,
                                                             size_t queue_bytes_max) {
  absl::StatusOr<int> fd = OpenTarget(path);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<LineWriter>(
      new LineWriter(std::make_shared<Shared>(path, queue_bytes_max, *fd)));
}

LineWriter::~LineWriter() {
  Stop(absl::ZeroDuration());
}

void LineWriter::Start() {
  started_ = true;
  // Signals are for the threads that wait for them, and a reader that is gone is an error of write.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // Detached: Stop() waits for its end, but not for ever.
  std::thread([shared = shared_] { shared->Run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void LineWriter::Stop(absl::Duration patience) {
  if (!std::exchange(started_, false)) return;
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->wake.notify_one();
  const auto done = [&] { return shared_->done; };
  if (!shared_->ended.wait_for(lock, absl::ToChronoMilliseconds(patience), done)) {
    shared_->impatient = true;
    shared_->stats.dropped.fetch_add(CountLines(shared_->queue), std::memory_order_relaxed);
    shared_->queue.clear();
  }
}

bool LineWriter::Append(std::string_view line) {
  Shared& shared = *shared_;
  bool wake = false;
  {
    std::lock_guard lock(shared.mutex);
    if (shared.stopping || shared.queue.size() + line.size() > shared.queue_bytes_max) {
      shared.stats.dropped.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    // Nobody needs to be woken twice: once for the first line, once when it is time to hurry.
    const size_t half = shared.queue_bytes_max / 2;
    wake = shared.queue.empty() ||
           (shared.queue.size() < half && shared.queue.size() + line.size() >= half);
    shared.queue.append(line);
  }
  if (wake) shared.wake.notify_one();
  return true;
}

void LineWriter::Reopen() {
  std::lock_guard lock(shared_->mutex);
  shared_->reopen = true;
  shared_->wake.notify_one();
}

const LineWriterStats& LineWriter::stats() const {
  return shared_->stats;
}

}  // namespace grove::access_log
