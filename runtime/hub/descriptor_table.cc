#include "runtime/hub/descriptor_table.h"

#include <poll.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

std::string Named(const Fiber* fiber) {
  if (fiber == nullptr) return "a library's watch";
  return absl::StrFormat("fiber %d \"%s\" (spawned at %s:%d)", fiber->id(), fiber->name(),
                         fiber->spawn_site().file_name(),
                         static_cast<int>(fiber->spawn_site().line()));
}

absl::Status Unknown(int fd) {
  return absl::AbortedError(absl::StrFormat("descriptor %d is closed", fd));
}

}  // namespace

absl::Status DescriptorTable::Register(int fd, Poller::Mode mode) {
  Entry& entry = Renew(fd, mode == Poller::Mode::kEdge);
  entry.mode = mode;
  absl::Status added = StartPolling(fd, entry);
  if (!added.ok()) Drop(entry);
  return added;
}

absl::Status DescriptorTable::RegisterAny(int fd) {
  Entry& entry = Renew(fd, true);
  absl::Status added = StartPolling(fd, entry);
  // EPERM of epoll_ctl(2): it has no poll operation.
  entry.always_ready = absl::IsPermissionDenied(added);
  if (added.ok() || entry.always_ready) return absl::OkStatus();
  Drop(entry);
  return added;
}

void DescriptorTable::RegisterAccepted(int fd) {
  Renew(fd, true).accepted = true;
}

DescriptorTable::Entry& DescriptorTable::Renew(int fd, bool ready) {
  if (static_cast<size_t>(fd) >= entries_.size()) entries_.resize(fd + 1);
  Entry& entry = entries_[fd];
  GROVE_CHECK(!entry.registered, absl::StrFormat("descriptor %d is registered already", fd));
  // A new generation for each registration (invariant 5).
  entry = Entry{.generation = entry.generation + 1, .registered = true, .ready = {ready, ready}};
  ++registered_;
  return entry;
}

absl::Status DescriptorTable::StartPolling(int fd, Entry& entry) {
  absl::Status added = poller_.Add(fd, Token(fd, entry.generation), entry.mode);
  entry.polled = added.ok();
  return added;
}

void DescriptorTable::Unregister(int fd) {
  Entry* const entry = Find(fd);
  if (entry == nullptr) return;
  // The poller first: events that it has told already are of an old registration from here on, and
  // Deliver() drops them (invariant 5).
  if (entry->polled) poller_.Remove(fd);
  Drop(*entry);
}

void DescriptorTable::UnregisterClosing(int fd) {
  Entry* const entry = Find(fd);
  if (entry == nullptr) return;
  // A child between fork and exec may keep the kernel's registration alive for a moment: what that
  // tells is of an old generation.
  if (entry->polled) entry->accepted ? poller_.RemoveClosing(fd) : poller_.Remove(fd);
  Drop(*entry);
}

void DescriptorTable::Drop(Entry& entry) {
  entry.registered = false;
  entry.watch = nullptr;
  --registered_;
  for (int side = 0; side < 2; ++side) {
    Fiber* const waiter = std::exchange(entry.waiters[side], nullptr);
    if (ReadyWatch* const watch = std::exchange(entry.ready_watches[side], nullptr)) {
      watch->OnUnregistered();
    } else if (waiter != nullptr) {
      hub_.Unpark(*waiter);
    }
  }
}

absl::Status DescriptorTable::CheckFree(int fd, const Entry& entry, Direction direction,
                                        const Fiber* newcomer) const {
  const int side = static_cast<int>(direction);
  if (entry.waiters[side] == nullptr && entry.ready_watches[side] == nullptr) [[likely]]
    return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrFormat("descriptor %d: %s waits to %s already; %s must not", fd,
                      Named(entry.waiters[side]), side == 0 ? "read" : "write", Named(newcomer)));
}

absl::Status DescriptorTable::Await(int fd, Direction direction, WaitFor::Kind kind) {
  const int side = static_cast<int>(direction);
  Entry* entry = Find(fd);
  if (entry == nullptr) return Unknown(fd);
  if (entry->ready[side]) {
    ++calls_;
    return absl::OkStatus();
  }
  const uint32_t generation = entry->generation;
  Fiber* const self = hub_.running();
  if (absl::Status free = CheckFree(fd, *entry, direction, self); !free.ok()) return free;
  if (!entry->polled) [[unlikely]] {
    if (absl::Status added = StartPolling(fd, *entry); !added.ok()) return added;
  }
  // In the table before the poller is told: its next report must find who waits.
  entry->waiters[side] = self;
  poller_.Rearm(fd, direction);
  const Wake wake = hub_.Park({.kind = kind, .fd = fd});
  entry = Find(fd);  // the table may have grown meanwhile
  if (entry == nullptr || entry->generation != generation) {
    return absl::AbortedError(absl::StrFormat("descriptor %d was closed while in use", fd));
  }
  // Another fiber may have come to wait since this one was made runnable.
  if (entry->waiters[side] == self) entry->waiters[side] = nullptr;
  if (entry->ready[side] || wake == Wake::kReady) {
    ++calls_;
    return absl::OkStatus();
  }
  return WakeStatus(wake, side == 0 ? "read" : "write");
}

void DescriptorTable::NotReady(int fd, Direction direction) {
  Entry* const entry = Find(fd);
  if (entry == nullptr) return;
  if (entry->always_ready) return;
  // After a hang-up reads no longer block, and no edge need follow. A peer that only stopped
  // sending may still be slow to take bytes: writes go on waiting for edges.
  if (entry->hangup && direction == Direction::kRead) return;
  entry->ready[static_cast<int>(direction)] = false;
}

absl::StatusOr<bool> DescriptorTable::Look(int fd, Direction direction) {
  Entry* const entry = Find(fd);
  if (entry == nullptr) return Unknown(fd);
  if (absl::Status free = CheckFree(fd, *entry, direction, hub_.running()); !free.ok()) return free;
  if (entry->always_ready) return true;
  ++calls_;
  const short wanted = direction == Direction::kRead ? POLLIN | POLLRDHUP : POLLOUT;
  pollfd polled{.fd = fd, .events = wanted, .revents = 0};
  int polling;
  do {
    polling = poll(&polled, 1, 0);
  } while (polling < 0 && errno == EINTR);
  if (polling < 0) return ErrnoStatus(errno, "poll");
  if ((polled.revents & POLLNVAL) != 0) {
    return absl::AbortedError(absl::StrFormat("descriptor %d was closed by its owner", fd));
  }
  const bool ready = polled.revents != 0;
  entry->ready[static_cast<int>(direction)] = ready;
  return ready;
}

absl::Status DescriptorTable::WatchReady(int fd, Direction direction, ReadyWatch& watch,
                                         Fiber* fiber) {
  Entry* const entry = Find(fd);
  if (entry == nullptr) return Unknown(fd);
  if (absl::Status free = CheckFree(fd, *entry, direction, fiber); !free.ok()) return free;
  if (!entry->polled) {
    if (absl::Status added = StartPolling(fd, *entry); !added.ok()) return added;
  }
  // As in Await(): the watch before the poller is told.
  entry->waiters[static_cast<int>(direction)] = fiber;
  entry->ready_watches[static_cast<int>(direction)] = &watch;
  poller_.Rearm(fd, direction);
  return absl::OkStatus();
}

void DescriptorTable::UnwatchReady(int fd, Direction direction, const ReadyWatch& watch) {
  Entry* const entry = Find(fd);
  if (entry == nullptr || entry->ready_watches[static_cast<int>(direction)] != &watch) return;
  entry->ready_watches[static_cast<int>(direction)] = nullptr;
  entry->waiters[static_cast<int>(direction)] = nullptr;
}

void DescriptorTable::WatchHangup(int fd, HangupWatch* watch) {
  Entry* const entry = Find(fd);
  if (entry == nullptr) return;
  if (watch != nullptr && entry->hangup) return watch->OnHangup();
  // As in Await(): the watch before the poller is told.
  entry->watch = watch;
  if (watch == nullptr) return;
  if (!entry->polled) StartPolling(fd, *entry).IgnoreError();
  poller_.Rearm(fd, Direction::kRead);
}

void DescriptorTable::MarkReady(Entry& entry, Direction direction) {
  const int side = static_cast<int>(direction);
  entry.ready[side] = true;
  // Readiness is kept even if nobody waits: an edge comes once. Off the table before it runs, so
  // that another fiber may come to wait meanwhile.
  Fiber* const waiter = std::exchange(entry.waiters[side], nullptr);
  if (ReadyWatch* const watch = entry.ready_watches[side]; watch != nullptr) [[unlikely]] {
    entry.ready_watches[side] = nullptr;
    watch->OnReady();
  } else if (waiter != nullptr) {
    hub_.UnparkCold(*waiter);
  }
}

void DescriptorTable::Deliver(const Poller::Event& event) {
  // The low half of the hub's own wake-up is -1: no entry's either.
  Entry* const entry = Find(static_cast<int>(static_cast<uint32_t>(event.token)));
  if (entry == nullptr || entry->generation != static_cast<uint32_t>(event.token >> 32)) return;
  // The hang-up before the reader: what reads to the end of the stream must find it known.
  if (event.hangup) {
    entry->hangup = true;
    if (entry->watch != nullptr) std::exchange(entry->watch, nullptr)->OnHangup();
  }
  if (event.readable) MarkReady(*entry, Direction::kRead);
  if (event.writable) MarkReady(*entry, Direction::kWrite);
}

void DescriptorTable::Visit(
    absl::FunctionRef<void(int fd, const Fiber* reader, const Fiber* writer)> visit) const {
  for (size_t fd = 0; fd < entries_.size(); ++fd) {
    const Entry& entry = entries_[fd];
    if (entry.registered) visit(static_cast<int>(fd), entry.waiters[0], entry.waiters[1]);
  }
}

}  // namespace grove
