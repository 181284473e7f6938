// ResultEvent: a value or an error that is sent once, and the fibers that wait for it.
//
// Every waiter gets a copy, made when it is sent: it keeps it even if the event is reset before it
// runs. Send() never parks. ResultEvent<void> carries a status alone. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_RESULT_EVENT_H_
#define GROVE_RUNTIME_SYNC_RESULT_EVENT_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/alternative_waiter.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

template <typename T>
class SelectEvent;

template <typename T>
class ResultEvent {
 public:
  using Result = std::conditional_t<std::is_void_v<T>, absl::Status, absl::StatusOr<T>>;

  ResultEvent() = default;
  // Requires: nobody waits.
  ~ResultEvent() { GROVE_CHECK(waiters_.empty(), "a ResultEvent died while fibers wait for it"); }
  ResultEvent(const ResultEvent&) = delete;
  ResultEvent& operator=(const ResultEvent&) = delete;

  // Lets all present and later waiters through until Reset(). kFailedPrecondition: sent already;
  // the first result stands.
  absl::Status Send(Result result);
  // Makes it as new. kFailedPrecondition: nothing was sent.
  absl::Status Reset();
  // What was sent. kDeadlineExceeded, kCancelled of the caller's own are told apart by `waited`,
  // which is false for them. **Parks** until something is sent.
  Result Wait(bool* waited = nullptr);

  bool ready() const { return result_.has_value(); }
  // Null if nothing was sent. Valid until Reset().
  const Result* result() const { return ready() ? &*result_ : nullptr; }
  size_t waiting() const { return waiters_.size(); }

 private:
  friend class SelectEvent<T>;

  std::optional<Result> result_;
  WaitList waiters_;  // AlternativeWaiters; value: std::optional<Result>*
};

template <typename T>
absl::Status ResultEvent<T>::Send(Result result) {
  if (ready()) return absl::FailedPreconditionError("event send: sent already");
  result_.emplace(std::move(result));
  while (Waiter* waiter = GrantAlternative(waiters_)) {
    static_cast<std::optional<Result>*>(waiter->value)->emplace(*result_);
    Hub::Current()->Unpark(*waiter->fiber);
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status ResultEvent<T>::Reset() {
  if (!ready()) return absl::FailedPreconditionError("event reset: nothing was sent");
  result_.reset();
  return absl::OkStatus();
}

template <typename T>
typename ResultEvent<T>::Result ResultEvent<T>::Wait(bool* waited) {
  if (waited != nullptr) *waited = true;
  if (ready()) return *result_;
  Hub& hub = *Hub::Current();
  std::optional<Result> received;
  AlternativeWaiter self{{.fiber = hub.running(), .value = &received}};
  waiters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kEvent, .object = this});
  if (self.granted) return *std::move(received);
  waiters_.Remove(self);
  if (waited != nullptr) *waited = false;
  return WakeStatus(wake, "event wait");
}

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_RESULT_EVENT_H_
