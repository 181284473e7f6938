// Queue: values from fibers to fibers of one hub, bounded or not.
//
// `Order` keeps the values and says which comes out next: the first in unless told otherwise. With
// capacity 0 it is a rendezvous: Put returns when a Get has taken the value. Blocked callers are
// served first come, first served, whatever the order of the values. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_QUEUE_H_
#define GROVE_RUNTIME_SYNC_QUEUE_H_

#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/alternative_waiter.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/wait_list.h"
#include "runtime/sync/result_iterator.h"
#include "runtime/sync/ring_buffer.h"
#include "runtime/sync/task_count.h"

namespace grove {

// The Order of a Queue. Pop() requires: not empty.
template <typename T>
class FirstInFirstOut {
 public:
  void Push(T&& value) { values_.Push(std::move(value)); }
  T Pop() { return values_.Pop(); }
  size_t size() const { return values_.size(); }

 private:
  RingBuffer<T> values_;
};

template <typename T, typename Order>
class SelectGet;
template <typename T, typename Order>
class SelectPut;

template <typename T, typename Order = FirstInFirstOut<T>>
class Queue {
 public:
  static constexpr size_t kUnbounded = std::numeric_limits<size_t>::max();

  explicit Queue(size_t capacity = kUnbounded) : capacity_(capacity) {}
  // Requires: nobody waits.
  ~Queue() {
    GROVE_CHECK(getters_.empty() && putters_.empty(), "a Queue died while fibers wait for it");
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // kDeadlineExceeded, kCancelled: the value was not put. kFailedPrecondition: closed.
  // **Parks** while the queue is full.
  absl::Status Put(T value);
  // False, and `value` untouched, if that would park.
  bool TryPut(T&& value) { return PutFrom(value); }
  // kDeadlineExceeded, kCancelled; kOutOfRange: closed and empty. **Parks** while it is empty.
  absl::StatusOr<T> Get();
  // Nothing if that would park.
  std::optional<T> TryGet();
  // Goes over what Get() gives, until it is closed and empty (result_iterator.h): for (auto& job :
  // jobs). Several fibers may, each gets its own. **Parks** while it is empty.
  ResultIterator<Queue, T> begin() { return ResultIterator<Queue, T>(*this); }
  std::default_sentinel_t end() { return {}; }
  // No further Put; Gets drain what is there, then see kOutOfRange.
  void Close();
  // Growing lets waiting putters in at once; shrinking keeps the values that are there.
  void Resize(size_t capacity);

  // Says that a value that was got has been dealt with. kFailedPrecondition: called more often
  // than values were put.
  absl::Status TaskDone() { return tasks_.Done(); }
  // Until there has been a TaskDone() for every value put. kDeadlineExceeded, kCancelled.
  // **Parks.**
  absl::Status Join() { return tasks_.Join(); }

  size_t capacity() const { return capacity_; }
  size_t size() const { return values_.size(); }
  bool empty() const { return values_.size() == 0; }
  bool full() const { return values_.size() >= capacity_; }
  bool closed() const { return closed_; }
  size_t putting() const { return putters_.size(); }
  size_t getting() const { return getters_.size(); }
  uint64_t unfinished() const { return tasks_.unfinished(); }

 private:
  friend class SelectGet<T, Order>;
  friend class SelectPut<T, Order>;
  friend class ResultIterator<Queue, T>;

  static absl::Status Closed() { return absl::FailedPreconditionError("queue is closed"); }
  static absl::Status Drained() { return absl::OutOfRangeError("queue is closed and empty"); }
  // Of ResultIterator.
  std::optional<absl::StatusOr<T>> NextResult(bool& interrupted);
  // Moves `value` in, if that would not park.
  bool PutFrom(T& value);
  // Into an empty `value`, if that would not park.
  void TakeInto(std::optional<T>& value);
  // Lets the longest waiting putters in, as many as there is room for.
  void AdmitPutters();

  size_t capacity_;
  bool closed_ = false;
  Order values_;
  WaitList getters_;  // AlternativeWaiters; value: std::optional<T>*, empty if granted by Close()
  WaitList putters_;  // AlternativeWaiters; value: T*, null if granted by Close()
  TaskCount tasks_;
};

template <typename T, typename Order>
bool Queue<T, Order>::PutFrom(T& value) {
  if (closed_) return false;
  if (Waiter* getter = GrantAlternative(getters_)) {
    static_cast<std::optional<T>*>(getter->value)->emplace(std::move(value));
    Hub::Current()->Unpark(*getter->fiber);
  } else if (full() || !putters_.empty()) {
    return false;
  } else {
    values_.Push(std::move(value));
  }
  tasks_.Add();
  return true;
}

template <typename T, typename Order>
absl::Status Queue<T, Order>::Put(T value) {
  if (closed_) return Closed();
  if (PutFrom(value)) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  AlternativeWaiter self{{.fiber = hub.running(), .value = &value}};
  putters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kQueuePut, .object = this});
  if (self.granted) return self.value != nullptr ? absl::OkStatus() : Closed();
  putters_.Remove(self);
  return WakeStatus(wake, "queue put");
}

template <typename T, typename Order>
void Queue<T, Order>::AdmitPutters() {
  while (!full()) {
    Waiter* putter = GrantAlternative(putters_);
    if (putter == nullptr) return;
    values_.Push(std::move(*static_cast<T*>(putter->value)));
    tasks_.Add();
    Hub::Current()->Unpark(*putter->fiber);
  }
}

template <typename T, typename Order>
void Queue<T, Order>::TakeInto(std::optional<T>& value) {
  if (!empty()) {
    value.emplace(values_.Pop());
    AdmitPutters();
  } else if (Waiter* putter = GrantAlternative(putters_)) {  // rendezvous
    value.emplace(std::move(*static_cast<T*>(putter->value)));
    tasks_.Add();
    Hub::Current()->Unpark(*putter->fiber);
  }
}

template <typename T, typename Order>
std::optional<T> Queue<T, Order>::TryGet() {
  std::optional<T> value;
  TakeInto(value);
  return value;
}

template <typename T, typename Order>
absl::StatusOr<T> Queue<T, Order>::Get() {
  std::optional<T> value;
  TakeInto(value);
  if (value.has_value()) return *std::move(value);
  if (closed_) return Drained();
  Hub& hub = *Hub::Current();
  AlternativeWaiter self{{.fiber = hub.running(), .value = &value}};
  getters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kQueueGet, .object = this});
  if (value.has_value()) return *std::move(value);
  if (self.granted) return Drained();
  getters_.Remove(self);
  return WakeStatus(wake, "queue get");
}

template <typename T, typename Order>
std::optional<absl::StatusOr<T>> Queue<T, Order>::NextResult(bool& interrupted) {
  absl::StatusOr<T> value = Get();
  if (absl::IsOutOfRange(value.status())) return std::nullopt;
  interrupted = !value.ok();
  return value;
}

template <typename T, typename Order>
void Queue<T, Order>::Close() {
  closed_ = true;
  while (Waiter* getter = GrantAlternative(getters_)) Hub::Current()->Unpark(*getter->fiber);
  while (Waiter* putter = GrantAlternative(putters_)) {
    putter->value = nullptr;  // it was not taken
    Hub::Current()->Unpark(*putter->fiber);
  }
}

template <typename T, typename Order>
void Queue<T, Order>::Resize(size_t capacity) {
  capacity_ = capacity;
  AdmitPutters();
}

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_QUEUE_H_
