// TransactionGuard: sees fibers that wait for something else while they hold a transaction.
//
// A transaction holds locks, a connection and the oldest snapshot that the server must keep. Who
// asks another server, sleeps or waits for a pool meanwhile makes all others wait as long, and two
// who wait for a pool so may never go on. Each such wait is counted, and reported with both places:
// where the transaction was begun, and the stack of the wait. It changes nothing of either.
//   absl::StatusOr<Transaction> transaction = ...;  // holds a guard.Mark("transaction", site)
// Waits of the transaction itself, on its own connection, stand in an OwnWait scope.
// Hub thread only; it must outlive its marks.
#ifndef GROVE_DATABASE_GUARD_TRANSACTION_GUARD_H_
#define GROVE_DATABASE_GUARD_TRANSACTION_GUARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "runtime/hub/park_watch.h"
#include "runtime/switch/source_location.h"

namespace grove::guard {

// What a fiber waits for that it should not. Waits for other fibers (mutex, queue, event, join) are
// none: what they wait for is seen where it is waited for.
enum class HeldWait : uint8_t {
  kNetwork,  // a descriptor, or the end of a process
  kSleep,
  kPool,  // a semaphore, as ResourcePool has it, a fiber pool, or a thread of an OffloadPool
};

struct HeldWaitReport {
  std::string_view held;  // "transaction"
  SourceLocation held_at = SourceLocation::Current();
  absl::Duration held_for;
  FiberId fiber = 0;
  std::string_view fiber_name;
  HeldWait kind = HeldWait::kNetwork;
  std::string waits_for;           // as WaitForText() has it
  std::vector<std::string> stack;  // of the wait, innermost first; x86-64 alone
  // Counted since the last report of the same place.
  uint64_t unreported = 0;

  // One line, and one more for each frame.
  std::string ToString() const;
};

struct TransactionGuardOptions {
  // Else nothing is marked, counted or reported.
  bool enabled = true;
  // One report in so long for each place where transactions are begun.
  absl::Duration report_interval = absl::Seconds(10);
  // Must neither park nor throw. Null: to standard error.
  std::function<void(const HeldWaitReport&)> report = nullptr;
};

// Counters since it was made; levels where the name says so.
struct TransactionGuardStats {
  uint64_t marks = 0;
  uint64_t network = 0;
  uint64_t sleeps = 0;
  uint64_t pools = 0;
  uint64_t reports = 0;
  int64_t held = 0;  // now
};

class TransactionGuard {
 public:
  // That the fiber which made it holds something, for as long as it lives.
  class Mark final : private ParkWatch {
   public:
    // Waits in this scope are those of what is held. Null: no effect. May outlive the mark. Such
    // scopes end in reverse order.
    class OwnWait {
     public:
      explicit OwnWait(Mark* mark) : mark_(mark) {
        if (mark_ != nullptr) outer_ = std::exchange(mark_->own_wait_, this);
      }
      ~OwnWait() {
        if (mark_ != nullptr) mark_->own_wait_ = outer_;
      }
      OwnWait(const OwnWait&) = delete;
      OwnWait& operator=(const OwnWait&) = delete;

     private:
      friend class Mark;
      Mark* mark_;  // null: there is none, or it is dead
      OwnWait* outer_ = nullptr;
    };
    ~Mark() override;

   private:
    friend class TransactionGuard;
    Mark(TransactionGuard& guard, std::string_view held, SourceLocation site);
    void OnPark(const Fiber& fiber) override;

    TransactionGuard& guard_;
    const std::string_view held_;
    const SourceLocation site_;
    const MonotonicNanos since_;
    OwnWait* own_wait_ = nullptr;  // innermost
  };

  explicit TransactionGuard(TransactionGuardOptions options = {}) : options_(std::move(options)) {}
  // Requires: nothing is marked.
  ~TransactionGuard();
  TransactionGuard(const TransactionGuard&) = delete;
  TransactionGuard& operator=(const TransactionGuard&) = delete;

  // The running fiber holds `held`, a literal, from here on. Null if the guard is off.
  std::unique_ptr<Mark> Hold(std::string_view held, SourceLocation site);
  const TransactionGuardStats& stats() const { return stats_; }

 private:
  struct Place {
    MonotonicNanos next_report = 0;
    uint64_t unreported = 0;
  };
  // More than that share the last one's reports.
  static constexpr size_t kPlacesMax = 1024;

  void Count(HeldWait kind);
  Place& PlaceOf(const SourceLocation& site);

  const TransactionGuardOptions options_;
  TransactionGuardStats stats_;
  absl::flat_hash_map<std::pair<const char*, unsigned>, Place> places_;
  Place others_;
};

}  // namespace grove::guard

#endif  // GROVE_DATABASE_GUARD_TRANSACTION_GUARD_H_
