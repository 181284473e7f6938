// Edges out of poll(2), which knows levels only: a direction is in the polled set from its Rearm()
// to its first report. A descriptor without an armed direction is not in the set at all, since
// poll(2) reports hang-ups and errors of whatever it is given, and the hub would spin on them.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "runtime/hub/poller.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

constexpr short kReadEvents = POLLIN | POLLRDHUP;
constexpr short kWriteEvents = POLLOUT;
constexpr short kFailures = POLLHUP | POLLERR | POLLNVAL;

class PollPoller final : public Poller {
 public:
  absl::Status Add(int fd, uint64_t token, Mode mode) override {
    if (fcntl(fd, F_GETFD) < 0) return ErrnoStatus(errno, "add to poll");
    if (static_cast<size_t>(fd) >= entries_.size()) entries_.resize(fd + 1);
    if (entries_[fd].registered) return ErrnoStatus(EEXIST, "add to poll");
    const bool level = mode == Mode::kSharedListener || token == kWakeToken;
    entries_[fd] = {.token = token, .registered = true, .level = level};
    // An edge-triggered one waits for its Rearm(): whoever registers tries its call first.
    if (level) Arm(fd, POLLIN);
    return absl::OkStatus();
  }

  void Remove(int fd) override {
    if (!Knows(fd)) return;
    Disarm(fd, ~0);
    entries_[fd].registered = false;
  }

  void Rearm(int fd, Direction direction) override {
    if (!Knows(fd) || entries_[fd].level) return;
    Arm(fd, direction == Direction::kRead ? kReadEvents : kWriteEvents);
  }

  void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>& events) override {
    int left = WaitKernel(now, deadline);
    if (left < 0 && errno != EINTR) FailedForGood("ppoll", errno);
    // Backwards: disarming moves the last of the set, seen already, into the gap.
    for (size_t i = polled_.size(); left > 0 && i-- > 0;) {
      if (polled_[i].revents == 0) continue;
      --left;
      events.push_back(Report(polled_[i]));
    }
  }

 private:
  static constexpr uint32_t kNotPolled = UINT32_MAX;
  struct Entry {
    uint64_t token = 0;
    uint32_t slot = kNotPolled;  // in polled_
    bool registered = false;
    bool level = false;
  };

  bool Knows(int fd) const {
    return fd >= 0 && static_cast<size_t>(fd) < entries_.size() && entries_[fd].registered;
  }

  void Arm(int fd, short directions) {
    Entry& entry = entries_[fd];
    if (entry.slot == kNotPolled) {
      entry.slot = static_cast<uint32_t>(polled_.size());
      polled_.push_back({.fd = fd, .events = 0, .revents = 0});
    }
    polled_[entry.slot].events |= directions;
  }

  void Disarm(int fd, short directions) {
    Entry& entry = entries_[fd];
    if (entry.slot == kNotPolled) return;
    pollfd& polled = polled_[entry.slot];
    polled.events &= static_cast<short>(~directions);
    if (polled.events != 0) return;
    polled = polled_.back();
    entries_[polled.fd].slot = entry.slot;
    polled_.pop_back();
    entry.slot = kNotPolled;
  }

  int WaitKernel(MonotonicNanos now, MonotonicNanos deadline) {
    const MonotonicNanos wait =
        deadline == kNever ? 0 : std::max<MonotonicNanos>(deadline - now, 0);
    const timespec timeout{static_cast<time_t>(wait / 1'000'000'000),
                           static_cast<long>(wait % 1'000'000'000)};
    return ppoll(polled_.data(), polled_.size(), deadline == kNever ? nullptr : &timeout, nullptr);
  }

  // What `polled` tells; takes the directions told out of the set.
  Event Report(const pollfd& polled) {
    const int fd = polled.fd;
    const short ready = polled.revents;
    const bool failed = (ready & kFailures) != 0;
    const bool hangup = failed || (ready & POLLRDHUP) != 0;
    const Event event{.token = entries_[fd].token,
                      .readable = hangup || (ready & POLLIN) != 0,
                      .writable = failed || (ready & POLLOUT) != 0,
                      .hangup = hangup};
    if (entries_[fd].level) return event;
    if (event.readable) Disarm(fd, kReadEvents);
    if (event.writable) Disarm(fd, kWriteEvents);
    return event;
  }

  std::vector<Entry> entries_;  // by descriptor
  std::vector<pollfd> polled_;  // those with an armed direction
};

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> Poller::Poll() {
  return std::make_unique<PollPoller>();
}

}  // namespace grove
