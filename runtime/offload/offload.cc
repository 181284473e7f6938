#include "runtime/offload/offload.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

double Seconds(MonotonicNanos nanos) {
  return static_cast<double>(nanos) / 1e9;
}

}  // namespace

// One Run(); lives on the calling fiber's stack.
struct OffloadPool::Call {
  enum class State { kQueued, kRunning, kDone, kDropped };

  absl::FunctionRef<void()> body;
  Hub& hub;
  Fiber& fiber;
  MonotonicNanos queued_at;
  State state = State::kQueued;  // guarded by mutex_
  std::exception_ptr exception = nullptr;
  bool finished = false;  // hub thread only
};

OffloadPool::~OffloadPool() {
  Stop();
}

absl::Status OffloadPool::Run(absl::FunctionRef<void()> body) {
  GROVE_CHECK(!ThreadsAreTheParents(),
              "an OffloadPool was used in a forked child: its threads are the parent's");
  Hub& hub = *Hub::Current();
  Call call{
      .body = body, .hub = hub, .fiber = *hub.running(), .queued_at = Clock::Monotonic().Now()};
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return absl::CancelledError("offload: the pool has stopped");
    if (calls_.size() >= options_.queue_max) {
      ++stats_.rejected;
      return absl::ResourceExhaustedError("offload: too many calls wait for a thread");
    }
    calls_.push_back(&call);
    stats_.queued_most = std::max(stats_.queued_most, calls_.size());
    if (idle_ == 0 && static_cast<int>(threads_.size()) < options_.threads) {
      process_ = getpid();
      threads_.emplace_back([this] { ThreadLoop(); });
    }
    work_->notify_one();
  }
  Timeout patience(options_.queue_time_max);
  Wake wake = Wake::kReady;
  while (!call.finished && wake == Wake::kReady) {
    wake = hub.Park({.kind = WaitFor::Kind::kOffload, .object = this});
  }
  if (!call.finished) {
    {
      const std::lock_guard lock(mutex_);
      if (call.state == Call::State::kQueued) {
        calls_.erase(std::find(calls_.begin(), calls_.end(), &call));
        absl::Status ended = WakeStatus(wake, "offload");
        if (!patience.Caused(ended)) {
          ++stats_.dropped;
          return ended;
        }
        ++stats_.expired;
        return absl::ResourceExhaustedError(absl::StrCat(
            "offload: no thread was free for ", absl::FormatDuration(options_.queue_time_max)));
      }
    }
    // It runs and may use this stack: wait it out.
    while (!call.finished) hub.ParkShielded({.kind = WaitFor::Kind::kOffload, .object = this});
  }
  if (call.state == Call::State::kDropped)
    return absl::CancelledError("offload: the pool has stopped");
  if (call.exception != nullptr) std::rethrow_exception(call.exception);
  return absl::OkStatus();
}

// Any thread. The call may be gone as soon as its hub has run the post.
void OffloadPool::Finish(Call& call) {
  call.hub.Post([&call] {
    call.finished = true;
    Hub::Current()->Unpark(call.fiber);
  });
}

void OffloadPool::ThreadLoop() {
  // More than 15 characters would be refused.
  pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
  for (;;) {
    Call* call;
    MonotonicNanos started = 0;
    {
      std::unique_lock lock(mutex_.native());
      ++idle_;
      work_->wait(lock, [this] { return stopping_ || !calls_.empty(); });
      --idle_;
      if (calls_.empty()) return;
      call = calls_.front();
      calls_.pop_front();
      call->state = Call::State::kRunning;
      started = Clock::Monotonic().Now();
      stats_.queue_seconds += Seconds(started - call->queued_at);
      ++stats_.running;
    }
    try {
      call->body();
    } catch (...) {
      call->exception = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      --stats_.running;
      ++stats_.completed;
      stats_.run_seconds += Seconds(Clock::Monotonic().Now() - started);
      call->state = Call::State::kDone;
    }
    Finish(*call);
  }
}

bool OffloadPool::ThreadsAreTheParents() const {
  const pid_t process = process_;
  return process != 0 && process != getpid();
}

void OffloadPool::Stop() {
  if (ThreadsAreTheParents()) {
    for (std::thread& thread : threads_) thread.detach();
    threads_.clear();
    (void)work_.release();  // its destructor would wait for the threads that wait for it
    return;
  }
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Call* call : calls_) {
      call->state = Call::State::kDropped;
      ++stats_.dropped;
      Finish(*call);
    }
    calls_.clear();
    threads.swap(threads_);
    work_->notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

OffloadPool::Stats OffloadPool::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.queued = calls_.size();
  stats.threads = static_cast<int>(threads_.size());
  return stats;
}

}  // namespace grove
