#include "runtime/hub/thread_mutex.h"

#include <utility>

#include "runtime/hub/hub.h"

namespace grove {

void ThreadMutex::Count() {
  counted_by_ = Hub::Current();
  if (counted_by_ != nullptr) counted_by_->park_bans().TakeLock();
}

void ThreadMutex::lock() {
  mutex_.lock();
  Count();
}

bool ThreadMutex::try_lock() {
  if (!mutex_.try_lock()) return false;
  Count();
  return true;
}

void ThreadMutex::unlock() {
  if (Hub* const hub = std::exchange(counted_by_, nullptr)) hub->park_bans().DropLock();
  mutex_.unlock();
}

}  // namespace grove
