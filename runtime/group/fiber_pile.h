// FiberPile: results of fibers, in the order in which they were spawned.
//
// The dispatch pattern: spawn a fetch per line, take the answers in order while they arrive.
// Bounded by the pool it draws on. Dropping the pile cancels what still runs and forgets results.
// Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_FIBER_PILE_H_
#define GROVE_RUNTIME_GROUP_FIBER_PILE_H_

#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/exception_text.h"
#include "runtime/hub/hub.h"
#include "runtime/sync/event.h"
#include "runtime/sync/result_iterator.h"

namespace grove {

template <typename T>
class FiberPile {
 public:
  // `pool` must outlive the pile and everything spawned through it. Several piles may share one.
  explicit FiberPile(FiberPool& pool) : pool_(pool) {}
  FiberPile(const FiberPile&) = delete;
  FiberPile& operator=(const FiberPile&) = delete;
  ~FiberPile();

  // As FiberPool::Spawn; on failure no place in the order is taken. **Parks** while the pool is
  // full.
  absl::Status Spawn(const SpawnOptions& options, absl::AnyInvocable<absl::StatusOr<T>()> body,
                     SourceLocation site = SourceLocation::Current());
  // The next result in order; a failure of its body stands at its place (kUnknown with
  // what() for an exception) and the following ones still come. kOutOfRange: nothing is left to
  // wait for. kDeadlineExceeded, kCancelled are told apart by `waited`, which is false for them.
  // **Parks.**
  absl::StatusOr<T> Next(bool* waited = nullptr);
  // Goes over what Next() gives, until nothing is left (result_iterator.h): for (auto& title :
  // pile). What is spawned meanwhile comes too. **Parks.**
  ResultIterator<FiberPile, T> begin() { return ResultIterator<FiberPile, T>(*this); }
  std::default_sentinel_t end() { return {}; }

  // Spawned and not yet taken.
  size_t pending() const { return slots_.size(); }

 private:
  friend class ResultIterator<FiberPile, T>;
  struct Slot {
    Event done;
    FiberHandle fiber;
    absl::StatusOr<T> result = absl::UnknownError("the fiber ended without a result");
  };

  // Of ResultIterator.
  std::optional<absl::StatusOr<T>> NextResult(bool& interrupted);

  FiberPool& pool_;
  std::deque<std::shared_ptr<Slot>> slots_;
};

template <typename T>
FiberPile<T>::~FiberPile() {
  for (auto& slot : slots_) {
    if (slot->fiber) slot->fiber.Cancel();
  }
}

template <typename T>
absl::Status FiberPile<T>::Spawn(const SpawnOptions& options,
                                 absl::AnyInvocable<absl::StatusOr<T>()> body,
                                 SourceLocation site) {
  auto slot = std::make_shared<Slot>();
  // Sets the slot's event also when the body throws or never runs: the guard dies with the closure.
  struct Guard {
    std::shared_ptr<Slot> slot;
    explicit Guard(std::shared_ptr<Slot> s) : slot(std::move(s)) {}
    Guard(Guard&&) noexcept = default;
    ~Guard() {
      if (slot == nullptr) return;
      slot->fiber = FiberHandle();
      slot->done.Set();
    }
  };
  absl::StatusOr<FiberHandle> spawned = pool_.Spawn(
      options,
      [guard = Guard(slot), body = std::move(body)]() mutable {
        // Here and not at the fiber's entry: the caller of a full pool runs bodies itself.
        try {
          guard.slot->result = body();
        } catch (const std::exception&) {
          guard.slot->result = absl::UnknownError(DescribeCurrentException());
        }
      },
      site);
  if (!spawned.ok()) return spawned.status();
  if (*spawned && !spawned->ended()) slot->fiber = *std::move(spawned);
  slots_.push_back(std::move(slot));
  return absl::OkStatus();
}

template <typename T>
absl::StatusOr<T> FiberPile<T>::Next(bool* waited) {
  if (waited != nullptr) *waited = true;
  if (slots_.empty()) return absl::OutOfRangeError("the pile is empty");
  const std::shared_ptr<Slot> slot = slots_.front();
  if (absl::Status status = slot->done.Wait(); !status.ok()) {
    if (waited != nullptr) *waited = false;
    return status;
  }
  slots_.pop_front();
  return std::move(slot->result);
}

template <typename T>
std::optional<absl::StatusOr<T>> FiberPile<T>::NextResult(bool& interrupted) {
  if (slots_.empty()) return std::nullopt;
  bool waited = true;
  absl::StatusOr<T> result = Next(&waited);
  interrupted = !waited;
  return result;
}

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_FIBER_PILE_H_
