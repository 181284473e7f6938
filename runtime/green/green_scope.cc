#include "runtime/green/green_scope.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/container/inlined_vector.h"
#include "runtime/hub/check.h"
#include "runtime/hub/fiber_local.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

// How many scopes this thread's fibers have: without any, a call costs one look at this.
thread_local int scopes_alive = 0;

FiberLocal<GreenScope*>& Innermost() {
  static auto* const innermost = new FiberLocal<GreenScope*>();
  return *innermost;
}

}  // namespace

GreenScope::GreenScope(Options options)
    : options_(options), outer_(Innermost().Find() == nullptr ? nullptr : Innermost().Get()) {
  ++scopes_alive;
  Innermost().Set(this);
}

GreenScope::~GreenScope() {
  GROVE_CHECK(Innermost().Get() == this, "GreenScopes must end in reverse order, on their fiber");
  Innermost().Set(outer_);
  --scopes_alive;
  if (epoll_ < 0) return;
  Hub::CurrentOrDie().descriptors().UnregisterClosing(epoll_);
  close(epoll_);
}

GreenScope* GreenScope::OfRunning() {
  if (scopes_alive == 0) return nullptr;
  Hub* hub = Hub::Current();
  if (hub == nullptr || hub->running() == nullptr) return nullptr;
  GreenScope** scope = Innermost().Find();
  if (scope == nullptr || *scope == nullptr || (*scope)->at_work_) return nullptr;
  return *scope;
}

absl::Status GreenScope::Open() {
  if (epoll_ >= 0) return absl::OkStatus();
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "epoll_create1");
  absl::Status registered = Hub::CurrentOrDie().descriptors().Register(fd, Poller::Mode::kEdge);
  if (registered.ok()) {
    epoll_ = fd;
  } else {
    close(fd);
  }
  return registered;
}

absl::Status GreenScope::Await(absl::Span<const pollfd> fds, absl::Duration timeout,
                               bool& timed_out) {
  if (absl::Status open = Open(); !open.ok()) return open;
  DescriptorTable& table = Hub::CurrentOrDie().descriptors();
  table.NotReady(epoll_, Direction::kRead);
  absl::InlinedVector<int, 8> added;
  const absl::Cleanup forget = [&] {
    for (const int fd : added) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  };
  for (const pollfd& each : fds) {
    if (each.fd < 0) continue;
    // poll(2)'s bits are epoll's.
    epoll_event event{.events = static_cast<uint32_t>(static_cast<uint16_t>(each.events)),
                      .data = {.fd = each.fd}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, each.fd, &event) == 0) {
      added.push_back(each.fd);
      continue;
    }
    if (errno != EEXIST) return ErrnoStatus(errno, "epoll_ctl");
    // Named twice, for different events.
    for (const pollfd& other : fds) {
      if (other.fd == each.fd) event.events |= static_cast<uint16_t>(other.events);
    }
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, each.fd, &event) != 0) {
      return ErrnoStatus(errno, "epoll_ctl");
    }
  }
  Timeout bound(timeout);
  absl::Status waited = table.Await(epoll_, Direction::kRead, WaitFor::Kind::kRead);
  timed_out = bound.Caused(waited);
  return waited;
}

}  // namespace grove
