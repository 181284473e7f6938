#include "client/rpc/completions.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove::client::rpc {
namespace {

// A batch is not made larger than its fibers' memory fits the caches.
constexpr size_t kBatchMax = 256;

// Whether a parent of this process had begun to use gRPC.
std::atomic<bool> parent_used_grpc{false};

void BeforeFork() {
  if (grpc_is_initialized() != 0) parent_used_grpc = true;
}
void AfterForkInParent() {
  parent_used_grpc = false;
}
// Before main(): who forks has not called anything here yet.
const int fork_rule = pthread_atfork(&BeforeFork, &AfterForkInParent, nullptr);

}  // namespace

Operation::~Operation() {
  GROVE_CHECK(!pending_, "an rpc::Operation died while gRPC works on it");
}

void* Operation::Begin(std::shared_ptr<void> keep) {
  GROVE_CHECK(!pending_, "two fibers read, or two write, on one gRPC stream at once");
  pending_ = true;
  keep_ = std::move(keep);
  return this;
}

Wake Operation::Await() {
  Hub& hub = Hub::CurrentOrDie();
  waiters_.push_back(hub.running());
  Wake wake = Wake::kReady;
  while (pending_ && wake == Wake::kReady) {
    wake = hub.Park({.kind = WaitFor::Kind::kEvent, .object = this});
  }
  StopWaiting();
  // What is complete by now counts, also for a fiber that was interrupted meanwhile.
  return pending_ ? wake : Wake::kReady;
}

void Operation::AwaitShielded() {
  Hub& hub = Hub::CurrentOrDie();
  waiters_.push_back(hub.running());
  while (pending_) hub.ParkShielded({.kind = WaitFor::Kind::kEvent, .object = this});
  StopWaiting();
}

void Operation::StopWaiting() {
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), Hub::CurrentOrDie().running()));
}

void Operation::Complete(bool ok) {
  pending_ = false;
  ok_ = ok;
  for (Fiber* waiter : waiters_) Hub::CurrentOrDie().Unpark(*waiter);
  // Perhaps all that still holds this.
  const std::shared_ptr<void> keep = std::move(keep_);
}

// Also held by what is posted to the hub, which may run later than the queue lives.
struct Completions::Inbox {
  explicit Inbox(Hub& its_hub) : hub(its_hub) {}

  // Queue's thread.
  static void Add(const std::shared_ptr<Inbox>& self,
                  std::vector<std::pair<Operation*, bool>>& batch) {
    bool first = false;
    {
      const absl::MutexLock lock(&self->mutex);
      first = self->done.empty();
      self->done.insert(self->done.end(), batch.begin(), batch.end());
    }
    batch.clear();
    if (first) self->hub.Post([self] { self->Deliver(); });
  }

  // Hub's thread.
  void Deliver() {
    {
      const absl::MutexLock lock(&mutex);
      delivered.swap(done);
    }
    if (delivered.empty()) return;
    ++stats.batches;
    stats.operations += delivered.size();
    for (const auto& [operation, ok] : delivered) operation->Complete(ok);
    delivered.clear();
  }

  Hub& hub;
  Stats stats;
  std::vector<std::pair<Operation*, bool>> delivered;
  absl::Mutex mutex;
  std::vector<std::pair<Operation*, bool>> done ABSL_GUARDED_BY(mutex);
};

absl::StatusOr<std::unique_ptr<Completions>> Completions::Create() {
  if (fork_rule != 0) return absl::InternalError("pthread_atfork failed");
  if (parent_used_grpc) {
    return absl::FailedPreconditionError(
        "gRPC was in use when this process was forked, and does not survive that: let the parent "
        "make its channels after its forks, or exec in the child");
  }
  return std::unique_ptr<Completions>(
      new Completions(std::make_shared<Inbox>(Hub::CurrentOrDie())));
}

Completions::Completions(std::shared_ptr<Inbox> inbox)
    : inbox_(std::move(inbox)), process_(getpid()), thread_([this] {
        std::vector<std::pair<Operation*, bool>> batch;
        std::pair<void*, bool> next;
        while (queue_.Next(&next.first, &next.second)) {
          do {
            batch.emplace_back(static_cast<Operation*>(next.first), next.second);
          } while (batch.size() < kBatchMax &&
                   queue_.AsyncNext(&next.first, &next.second, gpr_time_0(GPR_CLOCK_MONOTONIC)) ==
                       grpc::CompletionQueue::GOT_EVENT);
          Inbox::Add(inbox_, batch);
        }
      }) {}

Completions::~Completions() {
  GROVE_CHECK(process_ == getpid(), "rpc::Completions of a parent died in its forked child");
  queue_.Shutdown();
  thread_.join();
  inbox_->Deliver();
}

grpc::CompletionQueue* Completions::queue() {
  GROVE_CHECK(process_ == getpid(), "gRPC was called in a forked child with its parent's queue");
  return &queue_;
}

const Completions::Stats& Completions::stats() const {
  return inbox_->stats;
}

}  // namespace grove::client::rpc
