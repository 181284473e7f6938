#include "server/shared/locks.h"

#include <utility>

#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/shared/table_memory.h"

namespace grove::shared {

HeldLock::HeldLock(HeldLock&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      clock_(other.clock_),
      name_(std::move(other.name_)),
      token_(other.token_) {}

HeldLock::~HeldLock() {
  // Where that fails the expiry ends it.
  if (memory_ != nullptr) Unlock().IgnoreError();
}

absl::Status HeldLock::Lost() const {
  return absl::FailedPreconditionError(
      StrCat("lock '", name_, "' is no longer held: it has expired, or was unlocked"));
}

absl::Status HeldLock::Extend(absl::Duration expiry) {
  if (memory_ == nullptr) return Lost();
  const absl::StatusOr<MonotonicNanos> expires = ExpiresAt(*clock_, expiry);
  if (!expires.ok()) return expires.status();
  return memory_->Change(
      RowKind::kLock, name_, clock_->Now(), [&](const RowView* row) -> absl::StatusOr<RowEdit> {
        if (row == nullptr || LockState::Of(row->value).token != token_) return Lost();
        return RowEdit{.kind = RowEdit::Kind::kPut, .value = row->value, .expires = *expires};
      });
}

absl::Status HeldLock::Unlock() {
  if (memory_ == nullptr) return Lost();
  return std::exchange(memory_, nullptr)
      ->Change(RowKind::kLock, name_, clock_->Now(),
               [&](const RowView* row) -> absl::StatusOr<RowEdit> {
                 if (row == nullptr || LockState::Of(row->value).token != token_) return Lost();
                 return RowEdit{.kind = RowEdit::Kind::kErase};
               });
}

Locks::Locks(TableMemory* memory, Clock& clock, pid_t holder)
    : memory_(memory),
      clock_(clock),
      holder_(holder),
      random_(SeededRandom(static_cast<uint64_t>(holder))) {}

absl::StatusOr<HeldLock> Locks::TryLock(std::string_view name, absl::Duration expiry) {
  if (memory_ == nullptr) return NoSharedTable();
  const absl::StatusOr<MonotonicNanos> expires = ExpiresAt(clock_, expiry);
  if (!expires.ok()) return expires.status();
  LockState state;
  absl::Status status = memory_->Change(
      RowKind::kLock, name, clock_.Now(), [&](const RowView* row) -> absl::StatusOr<RowEdit> {
        if (row != nullptr) {
          return absl::AbortedError(
              StrCat("lock '", name, "' is held by process ", LockState::Of(row->value).holder));
        }
        // With its bucket held: later holders of the same lock have greater ones.
        state = {.token = memory_->NextToken(), .holder = holder_};
        return RowEdit{.kind = RowEdit::Kind::kPut, .value = state.bytes(), .expires = *expires};
      });
  if (!status.ok()) return status;
  return HeldLock(memory_, clock_, name, state.token);
}

absl::StatusOr<HeldLock> Locks::Lock(std::string_view name, absl::Duration expiry,
                                     absl::Duration wait) {
  Timeout timeout(wait);
  Backoff pauses({.first = kPauseFirst, .growth = 2, .max = kPauseMax});
  for (;;) {
    absl::StatusOr<HeldLock> held = TryLock(name, expiry);
    if (!absl::IsAborted(held.status())) return held;
    if (absl::Status slept = Sleep(pauses.Next(random_())); !slept.ok()) return slept;
  }
}

Locks& NoLocks() {
  static Locks none(nullptr, Clock::Monotonic(), 0);
  return none;
}

}  // namespace grove::shared
