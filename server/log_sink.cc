#include "server/log_sink.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grove {
namespace {

// How long the thread waits for the descriptor before it looks whether it is to end.
constexpr int kPollMs = 100;

bool IsSame(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_rdev == b.st_rdev;
}

// What goes in one call: into a file all; else whole lines, as many as the kernel keeps in one
// piece (pipe(7)). A line that is longer goes in pieces.
std::string_view Piece(std::string_view text, bool file) {
  if (file || text.size() <= PIPE_BUF) return text;
  const size_t end = text.substr(0, PIPE_BUF).rfind('\n');
  return text.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

}  // namespace

LogSink::LogSink(int fd, std::function<std::string(uint64_t)> tell_lost, size_t queue_bytes_max)
    : fd_(fd), tell_lost_(std::move(tell_lost)), queue_bytes_max_(queue_bytes_max) {}

LogSink::~LogSink() {
  Stop(absl::ZeroDuration());
  if (own_fd_ >= 0) close(own_fd_);
}

// Looked at anew for each batch: whoever runs us may have put another file at the descriptor.
void LogSink::FindTarget() {
  struct stat now {};
  if (fstat(fd_, &now) != 0 || IsSame(now, seen_)) return;
  seen_ = now;
  if (own_fd_ >= 0) close(std::exchange(own_fd_, -1));
  if (S_ISREG(now.st_mode)) {
    kind_ = Kind::kPlain;
  } else if (S_ISSOCK(now.st_mode)) {
    kind_ = Kind::kSocket;
  } else {
    own_fd_ = open(absl::StrCat("/proc/self/fd/", fd_).c_str(),
                   O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    // Another user's pipe: who polls it first may still block where others write between.
    kind_ = own_fd_ >= 0 ? Kind::kOwn : Kind::kPolled;
  }
}

ssize_t LogSink::WriteNow(std::string_view piece) const {
  switch (kind_) {
    case Kind::kSocket:
      return send(fd_, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::kOwn:
      return write(own_fd_, piece.data(), piece.size());
    case Kind::kPolled: {
      pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
      if (poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
      }
      return write(fd_, piece.data(), piece.size());
    }
    case Kind::kPlain:
      break;
  }
  return write(fd_, piece.data(), piece.size());
}

void LogSink::WriteSome() {
  FindTarget();
  while (written_ < queue_.size()) {
    const std::string_view piece =
        Piece(std::string_view(queue_).substr(written_), kind_ == Kind::kPlain);
    const ssize_t put = WriteNow(piece);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == ENOBUFS)) return;
    // A log that cannot be written is nobody's reason to stop: the piece is gone.
    written_ += put < 0 ? piece.size() : static_cast<size_t>(put);
  }
  queue_.clear();
  written_ = 0;
}

bool LogSink::Put(std::string_view line) {
  if (queue_.size() - written_ + line.size() > queue_bytes_max_) return false;
  if (written_ > queue_bytes_max_) {
    queue_.erase(0, written_);
    written_ = 0;
  }
  queue_.append(line);
  return true;
}

void LogSink::TellLost() {
  if (lost_ == 0 || queue_.size() - written_ > queue_bytes_max_ / 2) return;
  if (Put(tell_lost_(lost_))) lost_ = 0;
}

void LogSink::Append(std::string_view line) {
  std::lock_guard lock(mutex_);
  TellLost();
  if (lost_ > 0 || !Put(line)) {
    ++lost_;
    ++dropped_;
  }
  if (threaded_) {
    wake_.notify_one();
  } else {
    WriteSome();
  }
}

uint64_t LogSink::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

int LogSink::WaitsFor() {
  std::lock_guard lock(mutex_);
  if (threaded_ || (queue_.empty() && lost_ == 0)) return -1;
  return own_fd_ >= 0 ? own_fd_ : fd_;
}

void LogSink::Drain() {
  std::lock_guard lock(mutex_);
  WriteSome();
  TellLost();
  WriteSome();
}

void LogSink::Forget() {
  std::lock_guard lock(mutex_);
  queue_.clear();
  written_ = 0;
  lost_ = dropped_ = 0;
}

void LogSink::Start() {
  std::lock_guard lock(mutex_);
  if (threaded_) return;
  threaded_ = true;
  // No signal is this thread's: it inherits the mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { ThreadLoop(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void LogSink::ThreadLoop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty() || lost_ > 0; });
    if (stopping_) return;  // Stop() writes the rest
    // Out of the lock while the disk or a pipe takes it: others append meanwhile.
    std::string batch = std::exchange(queue_, {});
    size_t put = std::exchange(written_, 0);
    FindTarget();
    while (put < batch.size() && !stopping_) {
      const std::string_view piece =
          Piece(std::string_view(batch).substr(put), kind_ == Kind::kPlain);
      lock.unlock();
      const ssize_t taken = WriteNow(piece);
      const int error = errno;
      if (taken < 0 && (error == EAGAIN || error == ENOBUFS)) {
        pollfd ready{.fd = own_fd_ >= 0 ? own_fd_ : fd_, .events = POLLOUT, .revents = 0};
        poll(&ready, 1, kPollMs);
      } else if (taken >= 0 || error != EINTR) {
        put += taken < 0 ? piece.size() : static_cast<size_t>(taken);
      }
      lock.lock();
    }
    if (put < batch.size()) queue_.insert(0, batch.substr(put));
    TellLost();
  }
}

void LogSink::Stop(absl::Duration patience) {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  {
    std::lock_guard lock(mutex_);
    threaded_ = stopping_ = false;
  }
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + absl::ToChronoNanoseconds(patience);
  for (Drain(); WaitsFor() >= 0 && Clock::now() < end; Drain()) {
    pollfd ready{.fd = WaitsFor(), .events = POLLOUT, .revents = 0};
    poll(&ready, 1, kPollMs);
  }
}

}  // namespace grove
