#include "server/access_log/line_writer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "runtime/switch/errno_status.h"
#include "server/line_queue.h"
#include "server/log.h"

namespace grove::access_log {
namespace {

absl::StatusOr<int> OpenTarget(const std::string& path) {
  if (path != "-") return OpenForLines(path);
  // Our own copy: closing it leaves the standard output alone.
  const int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "open -");
  return fd;
}

bool IsRegular(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
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
      : path(std::move(path)),
        lines(kLineGatherTime, queue_bytes_max),
        fd(fd),
        regular(IsRegular(fd)) {}
  ~Shared() {
    if (fd >= 0) close(fd);
  }

  // To the file that the path leads to now.
  void Write(std::string& batch);
  void OpenAnew();
  void WriteBatch(std::string& batch);
  // False: given up, with errno set.
  bool WritePiece(std::string_view piece);

  const std::string path;
  LineWriterStats stats;
  LineQueue lines;
  std::atomic<bool> reopen{false};

  // The thread's own.
  int fd;
  bool regular;
  bool torn = false;     // a line stands there without its end
  bool failing = false;  // and that was logged
};

void LineWriter::Shared::Write(std::string& batch) {
  const bool anew = reopen.exchange(false);
  if (path != "-" && (anew || (regular && WasMoved(fd, path)))) OpenAnew();
  WriteBatch(batch);
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

void LineWriter::Shared::WriteBatch(std::string& batch) {
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
  if (failing && !was_failing && !lines.has_given_up()) {
    Log(LogLevel::kError, "cannot write the access log: lines are dropped until it works again",
        {{"file", path}, {"error", ErrnoStatus(errno, "write").message()}});
  }
}

bool LineWriter::Shared::WritePiece(std::string_view piece) {
  while (!piece.empty()) {
    // What never takes anything must not keep us from ending.
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    if (!regular && poll(&ready, 1, 100) == 0) {
      if (lines.has_given_up()) return false;
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
  // A reader that is gone is an error of write.
  StartDetached([shared = shared_] {
    shared->lines.Run([&shared](std::string& batch) { shared->Write(batch); });
  });
}

void LineWriter::Stop(absl::Duration patience) {
  if (!std::exchange(started_, false)) return;
  const std::string left = shared_->lines.Stop(patience);
  shared_->stats.dropped.fetch_add(CountLines(left), std::memory_order_relaxed);
}

bool LineWriter::Append(std::string_view line) {
  const bool taken = shared_->lines.Append(line);
  if (!taken) shared_->stats.dropped.fetch_add(1, std::memory_order_relaxed);
  return taken;
}

void LineWriter::Reopen() {
  shared_->reopen = true;
  shared_->lines.Hurry();
}

const LineWriterStats& LineWriter::stats() const {
  return shared_->stats;
}

}  // namespace grove::access_log
