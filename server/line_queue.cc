#include "server/line_queue.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

constexpr mode_t kMode = 0640;

}  // namespace

bool LineQueue::Append(std::string_view line) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (has_ended_ || has_given_up_ || line.size() > bytes_max_ - waiting_.size()) return false;
    // Nobody needs to be woken twice: once for the first line, once when it is time to hurry.
    const size_t half = bytes_max_ / 2;
    wake = waiting_.empty() || (waiting_.size() < half && waiting_.size() + line.size() >= half);
    waiting_.append(line);
  }
  if (wake) wake_.notify_one();
  return true;
}

void LineQueue::Hurry() {
  std::lock_guard lock(mutex_);
  hurries_ = true;
  wake_.notify_one();
}

std::string LineQueue::Stop(absl::Duration patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
  const auto ended = [&] { return has_ended_; };
  if (ended_.wait_for(lock, absl::ToChronoMilliseconds(patience), ended)) return "";
  has_given_up_ = true;
  wake_.notify_one();
  return std::exchange(waiting_, "");
}

bool LineQueue::has_given_up() const {
  std::lock_guard lock(mutex_);
  return has_given_up_;
}

void LineQueue::Run(absl::FunctionRef<void(std::string& batch)> write) {
  std::string batch;
  while (Take(batch)) write(batch);
  std::lock_guard lock(mutex_);
  has_ended_ = true;
  ended_.notify_all();
}

bool LineQueue::Take(std::string& batch) {
  batch.clear();
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return !waiting_.empty() || hurries_ || stopping_; });
  const auto hurry = [&] { return stopping_ || hurries_ || waiting_.size() >= bytes_max_ / 2; };
  wake_.wait_for(lock, absl::ToChronoMilliseconds(gather_), hurry);
  if (stopping_ && (waiting_.empty() || has_given_up_)) return false;
  hurries_ = false;
  std::swap(batch, waiting_);
  return true;
}

bool LineQueue::Pause(absl::Duration time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, absl::ToChronoMilliseconds(time), [&] { return has_given_up_; });
}

void StartDetached(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(std::move(body)).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

absl::StatusOr<int> OpenForLines(const std::string& path) {
  // O_NONBLOCK is for pipes: without a reader, opening one is an error and not a wait.
  const int fd =
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kMode);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  return fd;
}

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

}  // namespace grove
