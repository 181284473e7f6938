#include "client/stop.h"

namespace grove::client {

void Stop::Set() {
  const absl::MutexLock lock(&mutex_);
  set_ = true;
  if (cancel_) cancel_();
}

bool Stop::is_set() const {
  const absl::MutexLock lock(&mutex_);
  return set_;
}

bool Stop::Pause(absl::Duration duration) const {
  const absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&set_), duration);
}

Stop::Call::Call(Stop* stop, std::function<void()> cancel) : stop_(stop) {
  if (stop_ == nullptr) return;
  const absl::MutexLock lock(&stop_->mutex_);
  if (stop_->set_) cancel();
  stop_->cancel_ = std::move(cancel);
}

Stop::Call::~Call() {
  if (stop_ == nullptr) return;
  const absl::MutexLock lock(&stop_->mutex_);
  stop_->cancel_ = nullptr;
}

}  // namespace grove::client
