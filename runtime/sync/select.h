// Selector: waits for one of several: a value or room in a queue, an event, a permit, a time, or a
// descriptor (select_descriptor.h).
//
// From those not chosen nothing is taken, and nothing is put. A wait is bounded by a Timeout around
// it, or by a SelectTimer among the cases. While it waits it stands in line at each like any other
// fiber; among several that are ready already they take turns, from one Wait() to the next.
//
//   SelectGet job(jobs);
//   SelectEvent stop(stopped);
//   Selector selector({&job, &stop});
//   for (auto at = selector.Wait(); at.ok() && *at == 0; at = selector.Wait()) Do(job.Take());
//
// Hub thread only; one fiber at a time.
#ifndef GROVE_RUNTIME_SYNC_SELECT_H_
#define GROVE_RUNTIME_SYNC_SELECT_H_

#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/alternative_waiter.h"
#include "runtime/hub/check.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/sync/event.h"
#include "runtime/sync/queue.h"
#include "runtime/sync/result_event.h"
#include "runtime/sync/semaphore.h"

namespace grove {

// One thing a Selector waits for, and where it puts what it took.
class SelectCase {
 public:
  SelectCase(const SelectCase&) = delete;
  SelectCase& operator=(const SelectCase&) = delete;
  virtual ~SelectCase() = default;

 protected:
  explicit SelectCase(WaitList& line) : line_(line) {}

 private:
  friend class Selector;

  // Takes, or puts, if that is possible now.
  virtual bool Try() = 0;
  // Where, while it stands in line, a value goes to or comes from.
  virtual void* Place() { return nullptr; }
  // Whether to stand in line if not.
  virtual bool Waits() const { return true; }
  // It was served while it stood in line.
  virtual void Served(const Waiter&) {}
  // `fiber` waits, with this case in line, from Enter() to Leave().
  virtual void Enter(Fiber&) {}
  virtual void Leave() {}

  WaitList& line_;
  AlternativeWaiter waiter_;
};

// Ready when the queue has a value, or is closed and empty.
template <typename T, typename Order>
class SelectGet final : public SelectCase {
 public:
  // `queue` must outlive it.
  explicit SelectGet(Queue<T, Order>& queue) : SelectCase(queue.getters_), queue_(queue) {}

  // After it was chosen: the value, or kOutOfRange if the queue is closed and empty. A value that
  // was not fetched is kept: the next Wait() finds this case ready again.
  absl::StatusOr<T> Take() {
    if (!received_.has_value()) return Queue<T, Order>::Drained();
    absl::StatusOr<T> value = *std::move(received_);
    received_.reset();
    return value;
  }

 private:
  bool Try() override {
    if (!received_.has_value()) received_ = queue_.TryGet();
    return received_.has_value() || queue_.closed();
  }
  void* Place() override { return &received_; }

  Queue<T, Order>& queue_;
  std::optional<T> received_;
};

// Ready when the queue has room, a getter waits, or it is closed. The value leaves only if this
// case is chosen; after that the case is never ready until it is offered another.
template <typename T, typename Order>
class SelectPut final : public SelectCase {
 public:
  // `queue` must outlive it.
  explicit SelectPut(Queue<T, Order>& queue) : SelectCase(queue.putters_), queue_(queue) {}
  SelectPut(Queue<T, Order>& queue, T value) : SelectPut(queue) { Offer(std::move(value)); }

  // In place of one that was not put.
  void Offer(T value) { value_.emplace(std::move(value)); }
  // Whether there is a value that was not put.
  bool offered() const { return value_.has_value(); }
  // After it was chosen: OK: the value was put. kFailedPrecondition: the queue is closed; the value
  // is still here.
  absl::Status status() const { return offered() ? Queue<T, Order>::Closed() : absl::OkStatus(); }
  // The value that was not put. Requires: offered().
  T TakeBack() {
    GROVE_CHECK(offered(), "there is no value to take back");
    T value = *std::move(value_);
    value_.reset();
    return value;
  }

 private:
  bool Try() override {
    if (!offered()) return false;
    if (queue_.TryPut(*std::move(value_))) value_.reset();
    return !offered() || queue_.closed();
  }
  void* Place() override { return offered() ? &*value_ : nullptr; }
  bool Waits() const override { return offered(); }
  void Served(const Waiter& waiter) override {
    if (waiter.value != nullptr) value_.reset();
  }

  Queue<T, Order>& queue_;
  std::optional<T> value_;
};

// Ready once something was sent, until the event is reset.
template <typename T>
class SelectEvent final : public SelectCase {
 public:
  using Result = typename ResultEvent<T>::Result;

  // `event` must outlive it.
  explicit SelectEvent(ResultEvent<T>& event) : SelectCase(event.waiters_), event_(event) {}

  // What was sent when it was last chosen. Requires: it was.
  const Result& result() const {
    GROVE_CHECK(received_.has_value(), "this event was not chosen");
    return *received_;
  }

 private:
  bool Try() override {
    received_.reset();
    if (event_.ready()) received_.emplace(*event_.result());
    return received_.has_value();
  }
  void* Place() override { return &received_; }

  ResultEvent<T>& event_;
  std::optional<Result> received_;
};

// Ready while the event is set.
template <>
class SelectEvent<Event> final : public SelectCase {
 public:
  // `event` must outlive it.
  explicit SelectEvent(Event& event) : SelectCase(event.waiters_), event_(event) {}

 private:
  bool Try() override { return event_.ready(); }

  Event& event_;
};
SelectEvent(Event&)->SelectEvent<Event>;

// Ready when there is a permit and nobody waits for it longer. Chosen, the caller has taken one.
class SelectAcquire final : public SelectCase {
 public:
  // `semaphore` must outlive it.
  explicit SelectAcquire(Semaphore& semaphore)
      : SelectCase(semaphore.waiters_), semaphore_(semaphore) {}

 private:
  bool Try() override { return semaphore_.TryAcquire(); }

  Semaphore& semaphore_;
};

// The base that is constructed first: a case keeps a reference to its line.
class SelectOwnLine {
 protected:
  WaitList waiters_;
};

// A moment: ready from it on, until Restart(). Unlike a Timeout it interrupts nothing.
class SelectTimer final : private SelectOwnLine, private Timer, public SelectCase {
 public:
  // absl::InfiniteDuration() is never ready.
  explicit SelectTimer(absl::Duration after);
  ~SelectTimer() override;

  // Ready `after` from now instead, not before.
  void Restart(absl::Duration after);

 private:
  static void Ring(Timer& timer);
  bool Try() override { return rung_; }

  bool rung_ = false;
};

class Selector {
 public:
  // The cases must outlive it. Requires: one at least.
  explicit Selector(std::initializer_list<SelectCase*> cases);
  Selector(const Selector&) = delete;
  Selector& operator=(const Selector&) = delete;

  // The index of the case that was chosen. kDeadlineExceeded, kCancelled: nothing was taken from
  // any. Requires: one case at least can become ready. **Parks** until one is.
  absl::StatusOr<size_t> Wait();
  // As Wait(); nothing if that would park.
  std::optional<size_t> TryWait();

 private:
  size_t Chosen(size_t at);
  void StandInLine(Fiber* fiber);

  const std::vector<SelectCase*> cases_;
  size_t first_ = 0;  // looked at first by the next Wait(): the one after the last chosen
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_SELECT_H_
