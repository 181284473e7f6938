// FakePoller: a poller on invented time. Tests.
//
// It moves the clock to the next deadline instead of waiting, and polls real descriptors without
// waiting. Without a deadline it waits for them: only something outside can act then.
#ifndef GROVE_RUNTIME_HUB_FAKE_POLLER_H_
#define GROVE_RUNTIME_HUB_FAKE_POLLER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/hub/fake_clock.h"
#include "runtime/hub/poller.h"

namespace grove {

class FakePoller final : public Poller {
 public:
  explicit FakePoller(FakeClock& clock) : clock_(clock), kernel_(*Poller::Epoll()) {}

  absl::Status Add(int fd, uint64_t token, Mode mode) override {
    return kernel_->Add(fd, token, mode);
  }
  void Remove(int fd) override { kernel_->Remove(fd); }
  void RemoveClosing(int fd) override { kernel_->RemoveClosing(fd); }
  void Rearm(int fd, Direction direction) override { kernel_->Rearm(fd, direction); }

  void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>& events) override {
    kernel_->Wait(now, 0, events);
    if (!events.empty() || deadline == 0) return;
    if (deadline == kNever) {  // something outside (another thread, a child) must act
      kernel_->Wait(now, kNever, events);
    } else {
      clock_.AdvanceTo(deadline);
    }
  }

 private:
  FakeClock& clock_;
  const std::unique_ptr<Poller> kernel_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_FAKE_POLLER_H_
