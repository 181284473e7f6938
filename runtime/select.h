// Selector: waits on several queues and events at once, and takes from the first that is ready.
//
// From those not chosen nothing is taken. While it waits it stands in line at each like any other
// fiber; among several that are ready already they take turns, from one Wait() to the next.
//
//   SelectGet job(jobs);
//   SelectEvent stop(stopped);
//   Selector selector({&job, &stop});
//   for (auto at = selector.Wait(); at.ok() && *at == 0; at = selector.Wait()) Do(job.Take());
//
// Hub thread only; one fiber at a time.
#ifndef GROVE_RUNTIME_SELECT_H_
#define GROVE_RUNTIME_SELECT_H_

#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/alternative_waiter.h"
#include "runtime/check.h"
#include "runtime/queue.h"
#include "runtime/result_event.h"

namespace grove {

// One thing a Selector waits for, and where it puts what it took.
class SelectCase {
 public:
  SelectCase(const SelectCase&) = delete;
  SelectCase& operator=(const SelectCase&) = delete;
  virtual ~SelectCase() = default;

 protected:
  SelectCase(WaitList& line, void* received) : line_(line), received_(received) {}

 private:
  friend class Selector;

  // Takes what is there; false if nothing is.
  virtual bool Try() = 0;

  WaitList& line_;
  void* const received_;
  AlternativeWaiter waiter_;
};

// Ready when the queue has a value, or is closed and empty.
template <typename T, typename Order>
class SelectGet final : public SelectCase {
 public:
  // `queue` must outlive it.
  explicit SelectGet(Queue<T, Order>& queue)
      : SelectCase(queue.getters_, &received_), queue_(queue) {}

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

  Queue<T, Order>& queue_;
  std::optional<T> received_;
};

// Ready once something was sent, until the event is reset.
template <typename T>
class SelectEvent final : public SelectCase {
 public:
  using Result = typename ResultEvent<T>::Result;

  // `event` must outlive it.
  explicit SelectEvent(ResultEvent<T>& event)
      : SelectCase(event.waiters_, &received_), event_(event) {}

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

  ResultEvent<T>& event_;
  std::optional<Result> received_;
};

class Selector {
 public:
  // The cases must outlive it. Requires: one at least.
  explicit Selector(std::initializer_list<SelectCase*> cases);
  Selector(const Selector&) = delete;
  Selector& operator=(const Selector&) = delete;

  // The index of the case that was chosen. kDeadlineExceeded, kCancelled: nothing was taken from
  // any. **Parks** until one is ready.
  absl::StatusOr<size_t> Wait();
  // As Wait(); nothing if that would park.
  std::optional<size_t> TryWait();

 private:
  size_t Chosen(size_t at);

  const std::vector<SelectCase*> cases_;
  size_t first_ = 0;  // looked at first by the next Wait(): the one after the last chosen
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SELECT_H_
