#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

#include "runtime/hub/poller.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

// As many connections as one round of reads, and then of sends, may serve before what the kernel
// keeps of the first has left the nearer caches. The kernel hands out the rest in turn.
constexpr int kEventsPerWait = 64;

class EpollPoller final : public Poller {
 public:
  explicit EpollPoller(int epoll_fd) : epoll_fd_(epoll_fd) {}
  ~EpollPoller() override { close(epoll_fd_); }

  absl::Status Add(int fd, uint64_t token, Mode mode) override {
    epoll_event event{};
    event.data.u64 = token;
    event.events = mode == Mode::kEdge
                       ? static_cast<uint32_t>(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
                       : static_cast<uint32_t>(EPOLLIN | EPOLLEXCLUSIVE);
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, "epoll_ctl(ADD)");
  }

  void Remove(int fd) override { epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }
  // close(2) does it (epoll(7), question 6).
  void RemoveClosing(int /*fd*/) override {}

  void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>& events) override {
    const int count = WaitKernel(now, deadline);
    if (count < 0 && errno != EINTR) FailedForGood("epoll_wait", errno);
    for (int i = 0; i < count; ++i) events.push_back(Translate(ready_[i]));
  }

 private:
  int WaitKernel(MonotonicNanos now, MonotonicNanos deadline) {
    if (deadline == kNever) return epoll_wait(epoll_fd_, ready_.data(), kEventsPerWait, -1);
    const MonotonicNanos wait = std::max<MonotonicNanos>(deadline - now, 0);
    if (wait == 0) return epoll_wait(epoll_fd_, ready_.data(), kEventsPerWait, 0);
    if (have_pwait2_) {
      const timespec timeout{static_cast<time_t>(wait / 1'000'000'000),
                             static_cast<long>(wait % 1'000'000'000)};
      const int count = epoll_pwait2(epoll_fd_, ready_.data(), kEventsPerWait, &timeout, nullptr);
      if (count >= 0 || !IsNotOffered(errno)) return count;
      have_pwait2_ = false;
    }
    // Rounded up: a time-out cut to the millisecond below would spin through the last one.
    const MonotonicNanos millis = std::min<MonotonicNanos>((wait + 999'999) / 1'000'000, INT_MAX);
    return epoll_wait(epoll_fd_, ready_.data(), kEventsPerWait, static_cast<int>(millis));
  }

  static Event Translate(const epoll_event& event) {
    const bool hangup = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    const bool failed = (event.events & (EPOLLHUP | EPOLLERR)) != 0;
    return {.token = event.data.u64,
            .readable = hangup || (event.events & EPOLLIN) != 0,
            .writable = failed || (event.events & EPOLLOUT) != 0,
            .hangup = hangup};
  }

  const int epoll_fd_;
  bool have_pwait2_ = true;
  std::array<epoll_event, kEventsPerWait> ready_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> Poller::Epoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "epoll_create1");
  return std::make_unique<EpollPoller>(fd);
}

}  // namespace grove
