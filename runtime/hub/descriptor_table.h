// DescriptorTable: which fiber waits for which direction of which descriptor.
//
// A descriptor is registered once, for both directions, edge-triggered. Readiness is remembered
// until a system call finds it gone, so the usual order is: try the call, park on EAGAIN. An
// accepted connection is in the poller only from its first wait on: one whose request came with it
// and that ends with the answer never is.
// Registrations carry a generation: an event of a closed descriptor never reaches the next owner
// of its number. Owned by one Hub; hub thread only.
#ifndef GROVE_RUNTIME_HUB_DESCRIPTOR_TABLE_H_
#define GROVE_RUNTIME_HUB_DESCRIPTOR_TABLE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/poller.h"

namespace grove {

class Hub;

class DescriptorTable {
 public:
  // Told once that a descriptor's peer is gone or has ended its stream, whatever is left to read.
  // Called from the hub's poll, or by WatchHangup(): must not park, nor register descriptors.
  class HangupWatch {
   public:
    virtual void OnHangup() = 0;

   protected:
    ~HangupWatch() = default;
  };

  // Told once that a direction may be ready, or that its descriptor was taken off the table. Called
  // from the hub's poll, or by Unregister(): must not park, nor register descriptors.
  class ReadyWatch {
   public:
    virtual void OnReady() = 0;
    virtual void OnUnregistered() = 0;

   protected:
    ~ReadyWatch() = default;
  };

  DescriptorTable(Hub& hub, Poller& poller) : hub_(hub), poller_(poller) {}

  // Requires: non-blocking, not registered.
  absl::Status Register(int fd, Poller::Mode mode);
  // As Register() with edges; but what cannot be waited for (a regular file, a directory,
  // /dev/null), which epoll(7) refuses, is always ready.
  absl::Status RegisterAny(int fd);
  // As Register() with edges, but the poller is told only when somebody waits or watches: what it
  // refuses, Await() returns. For one that no other process or descriptor has open, as accept4(2)
  // makes it.
  void RegisterAccepted(int fd);
  // Wakes its waiters, whose Await returns kAborted. Call before close(2). No effect if unknown.
  void Unregister(int fd);
  // As Unregister(), for one that is closed before anything else happens.
  void UnregisterClosing(int fd);

  // Waits until `fd` may be ready in `direction`: returns at once if it was reported ready and no
  // call of NotReady() came since. kFailedPrecondition names both fibers if another one waits for
  // the same direction. kAborted: closed meanwhile. Else kDeadlineExceeded, kCancelled. **Parks.**
  absl::Status Await(int fd, Direction direction, WaitFor::Kind kind);
  // A system call has just said EAGAIN, or has just taken less than it asked for: only the next
  // edge makes the descriptor ready again. Ignored for reads after a hang-up: no edge need follow.
  void NotReady(int fd, Direction direction);

  // Whether a call would not block now, as poll(2) says: what is remembered is the last edge, which
  // others may have used up or not. Remembers the answer. kAborted: unknown, or closed by somebody
  // else. kFailedPrecondition: another fiber waits for the same direction. Never parks.
  absl::StatusOr<bool> Look(int fd, Direction direction);
  // As Await(), but tells `watch` in place of waking `fiber`, which is who waits (null: no fiber in
  // particular). Requires: Look() or NotReady() has just said that it is not ready.
  absl::Status WatchReady(int fd, Direction direction, ReadyWatch& watch, Fiber* fiber);
  // No effect if it has been told.
  void UnwatchReady(int fd, Direction direction, const ReadyWatch& watch);
  // Of this registration alone, whoever has its number later; 0: unknown.
  uint64_t Registration(int fd) const {
    const Entry* entry = Find(fd);
    return entry == nullptr ? 0 : Token(fd, entry->generation);
  }

  // Whether Await() would return at once. False if unknown.
  bool MayBeReady(int fd, Direction direction) const {
    const Entry* entry = Find(fd);
    return entry != nullptr && entry->ready[static_cast<size_t>(direction)];
  }

  // Tells `watch` of a hang-up: at once if it is known already. Null ends the watch. One for each
  // descriptor. The poll(2) backend looks until the next bytes come, and no further. Nor is it told
  // of one that the poller refuses. Requires: registered.
  void WatchHangup(int fd, HangupWatch* watch);

  // From the hub's poll.
  void Deliver(const Poller::Event& event);

  // One more system call on a descriptor that no Await() came before.
  void CountCall() { ++calls_; }

  size_t size() const { return registered_; }
  // System calls on descriptors so far: whoever is told that one is ready makes one.
  uint64_t calls() const { return calls_; }
  void Visit(absl::FunctionRef<void(int fd, const Fiber* reader, const Fiber* writer)> visit) const;

 private:
  struct Entry {
    Fiber* waiters[2] = {nullptr, nullptr};
    ReadyWatch* ready_watches[2] = {nullptr, nullptr};  // told in place of waking the waiter
    HangupWatch* watch = nullptr;
    uint32_t generation = 0;
    bool registered = false;
    bool polled = false;    // the poller has it
    bool accepted = false;  // by RegisterAccepted()
    bool always_ready = false;
    bool ready[2] = {false, false};
    bool hangup = false;
    Poller::Mode mode = Poller::Mode::kEdge;
  };
  static uint64_t Token(int fd, uint32_t generation) {
    return static_cast<uint64_t>(generation) << 32 | static_cast<uint32_t>(fd);
  }
  // Null unless it is registered. Valid until the next Register(): that may move the entries.
  Entry* Find(int fd) { return const_cast<Entry*>(std::as_const(*this).Find(fd)); }
  const Entry* Find(int fd) const {
    const bool known = static_cast<size_t>(fd) < entries_.size() && entries_[fd].registered;
    return known ? &entries_[fd] : nullptr;
  }
  // kFailedPrecondition, naming both, if somebody waits for `direction` already.
  absl::Status CheckFree(int fd, const Entry& entry, Direction direction,
                         const Fiber* newcomer) const;
  // A new registration, ready in both directions if `ready`: optimistic, the first call tells.
  Entry& Renew(int fd, bool ready);
  absl::Status StartPolling(int fd, Entry& entry);
  // Takes it off the table: whoever waits is woken.
  void Drop(Entry& entry);
  void MarkReady(Entry& entry, Direction direction);

  Hub& hub_;
  Poller& poller_;
  std::vector<Entry> entries_;
  size_t registered_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_DESCRIPTOR_TABLE_H_
