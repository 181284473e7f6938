// Stop: ends a client's calls and pauses from another thread.
//
// Once set it stays set: what it was given to ends with CANCELLED. Any thread.

#ifndef GROVE_CLIENT_STOP_H_
#define GROVE_CLIENT_STOP_H_

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace grove::client {

class Stop {
 public:
  void Set();
  bool is_set() const;

  // False: it was set meanwhile, and the rest of the pause was left out.
  bool Pause(absl::Duration duration) const;

  // While it lives, Set() calls `cancel`; at once if it was set before. One at a time.
  class Call {
   public:
    // `stop` may be null.
    Call(Stop* stop, std::function<void()> cancel);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Stop* const stop_;
  };

 private:
  mutable absl::Mutex mutex_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> cancel_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_STOP_H_
