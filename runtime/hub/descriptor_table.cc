#include "runtime/hub/descriptor_table.h"

#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {
namespace {

std::string Named(const Fiber& fiber) {
  return absl::StrFormat("fiber %d \"%s\" (spawned at %s:%d)", fiber.id(), fiber.name(),
                         fiber.spawn_site().file_name(),
                         static_cast<int>(fiber.spawn_site().line()));
}

}  // namespace

absl::Status DescriptorTable::Register(int fd, Poller::Mode mode) {
  Entry& entry = Renew(fd, mode == Poller::Mode::kEdge);
  entry.mode = mode;
  absl::Status added = StartPolling(fd, entry);
  if (!added.ok()) Drop(entry);
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
  for (Fiber*& waiter : entry.waiters) {
    if (waiter == nullptr) continue;
    hub_.Unpark(*waiter);
    waiter = nullptr;
  }
}

absl::Status DescriptorTable::Await(int fd, Direction direction, WaitFor::Kind kind) {
  const int side = static_cast<int>(direction);
  Entry* entry = Find(fd);
  if (entry == nullptr) {
    return absl::AbortedError(absl::StrFormat("descriptor %d is closed", fd));
  }
  if (entry->ready[side]) {
    ++calls_;
    return absl::OkStatus();
  }
  const uint32_t generation = entry->generation;
  Fiber* const self = hub_.running();
  if (const Fiber* other = entry->waiters[side]; other != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrFormat("descriptor %d: %s waits to %s already; %s must not", fd, Named(*other),
                        side == 0 ? "read" : "write", Named(*self)));
  }
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
  // After a hang-up reads no longer block, and no edge need follow. A peer that only stopped
  // sending may still be slow to take bytes: writes go on waiting for edges.
  if (entry->hangup && direction == Direction::kRead) return;
  entry->ready[static_cast<int>(direction)] = false;
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
  Fiber* const waiter = entry.waiters[side];
  if (waiter == nullptr) return;
  entry.waiters[side] = nullptr;
  hub_.UnparkCold(*waiter);
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
