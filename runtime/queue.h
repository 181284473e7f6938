// Queue: values from fibers to fibers of one hub, first in, first out, bounded or not.
//
// With capacity 0 it is a rendezvous: Put returns when a Get has taken the value. Blocked callers
// are served first come, first served. Hub thread only.
#ifndef GROVE_RUNTIME_QUEUE_H_
#define GROVE_RUNTIME_QUEUE_H_

#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub.h"
#include "runtime/wait_list.h"

namespace grove {

template <typename T>
class Queue {
 public:
  static constexpr size_t kUnbounded = std::numeric_limits<size_t>::max();

  explicit Queue(size_t capacity = kUnbounded) : capacity_(capacity) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // kDeadlineExceeded, kCancelled: the value was not put. kFailedPrecondition: closed.
  // **Parks** while the queue is full.
  absl::Status Put(T value);
  // False, and `value` untouched, if that would park.
  bool TryPut(T&& value);
  // kDeadlineExceeded, kCancelled; kOutOfRange: closed and empty. **Parks** while it is empty.
  absl::StatusOr<T> Get();
  // Nothing if that would park.
  std::optional<T> TryGet();
  // No further Put; Gets drain what is there, then see kOutOfRange.
  void Close();

  size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  bool closed() const { return closed_; }
  size_t putting() const { return putters_.size(); }
  size_t getting() const { return getters_.size(); }

 private:
  static absl::Status Closed() { return absl::FailedPreconditionError("queue is closed"); }
  // After a value was taken: lets the longest waiting putter in.
  void AdmitPutter();

  const size_t capacity_;
  bool closed_ = false;
  std::deque<T> values_;
  WaitList getters_;  // value: std::optional<T>*
  WaitList putters_;  // value: T*
};

template <typename T>
bool Queue<T>::TryPut(T&& value) {
  if (closed_) return false;
  if (Waiter* getter = getters_.Grant()) {
    static_cast<std::optional<T>*>(getter->value)->emplace(std::move(value));
    Hub::Current()->Unpark(*getter->fiber);
    return true;
  }
  if (values_.size() >= capacity_ || !putters_.empty()) return false;
  values_.push_back(std::move(value));
  return true;
}

template <typename T>
absl::Status Queue<T>::Put(T value) {
  if (closed_) return Closed();
  if (TryPut(std::move(value))) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running(), .value = &value};
  putters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kQueue, .object = this});
  if (self.granted) return absl::OkStatus();
  putters_.Remove(self);
  return wake == Wake::kReady ? Closed() : WakeStatus(wake, "queue put");
}

template <typename T>
void Queue<T>::AdmitPutter() {
  if (values_.size() >= capacity_) return;
  Waiter* putter = putters_.Grant();
  if (putter == nullptr) return;
  values_.push_back(std::move(*static_cast<T*>(putter->value)));
  Hub::Current()->Unpark(*putter->fiber);
}

template <typename T>
std::optional<T> Queue<T>::TryGet() {
  std::optional<T> value;
  if (!values_.empty()) {
    value.emplace(std::move(values_.front()));
    values_.pop_front();
    AdmitPutter();
  } else if (Waiter* putter = putters_.Grant()) {  // rendezvous
    value.emplace(std::move(*static_cast<T*>(putter->value)));
    Hub::Current()->Unpark(*putter->fiber);
  }
  return value;
}

template <typename T>
absl::StatusOr<T> Queue<T>::Get() {
  std::optional<T> value = TryGet();
  if (value.has_value()) return *std::move(value);
  if (closed_) return absl::OutOfRangeError("queue is closed and empty");
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running(), .value = &value};
  getters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kQueue, .object = this});
  if (self.granted) return *std::move(value);
  getters_.Remove(self);
  if (wake == Wake::kReady) return absl::OutOfRangeError("queue is closed and empty");
  return WakeStatus(wake, "queue get");
}

template <typename T>
void Queue<T>::Close() {
  closed_ = true;
  Hub& hub = *Hub::Current();
  for (WaitList* list : {&getters_, &putters_}) {
    while (Waiter* waiter = list->front()) {
      list->Remove(*waiter);
      hub.Unpark(*waiter->fiber);
    }
  }
}

}  // namespace grove

#endif  // GROVE_RUNTIME_QUEUE_H_
