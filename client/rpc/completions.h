// Completions: where what gRPC has done comes back to a hub's fibers.
//
// One completion queue and one thread that takes from it: what is complete by then goes to the hub
// as one batch, with one wake. gRPC does not survive a fork without exec: make it in the process
// that uses it; Create() refuses where gRPC was in use before the fork.
#ifndef GROVE_CLIENT_RPC_COMPLETIONS_H_
#define GROVE_CLIENT_RPC_COMPLETIONS_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "runtime/hub/fiber.h"

namespace grove {
class Hub;
}

namespace grove::client::rpc {

// One thing that gRPC was asked to do: the tag that its queue gives back. Hub thread only.
class Operation {
 public:
  Operation() = default;
  // Requires: not pending.
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // The tag for what is asked now. `keep` lives until it is complete. Requires: not pending.
  void* Begin(std::shared_ptr<void> keep = nullptr);
  bool pending() const { return pending_; }
  // Of the last one that is complete. What it means gRPC says of each call.
  bool ok() const { return ok_; }

  // Until it is complete, or the fiber is interrupted, which leaves it pending. **Parks.**
  Wake Await();
  // Until it is complete, whatever happens to the fiber. **Parks.**
  void AwaitShielded();

 private:
  friend class Completions;

  // It may be gone when this returns.
  void Complete(bool ok);
  void StopWaiting();

  bool pending_ = false;
  bool ok_ = false;
  absl::InlinedVector<Fiber*, 1> waiters_;
  std::shared_ptr<void> keep_;
};

// Made and used on a hub's thread, which it must not outlive; it must outlive its calls.
class Completions {
 public:
  // kFailedPrecondition: this process was forked from one that used gRPC. Requires: a hub's thread.
  static absl::StatusOr<std::unique_ptr<Completions>> Create();
  // Waits for what was cancelled. Requires: nobody waits for an operation.
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // Dies in a forked child.
  grpc::CompletionQueue* queue();

  struct Stats {
    uint64_t operations = 0;  // that are complete
    uint64_t batches = 0;     // in which they came
  };
  const Stats& stats() const;

 private:
  struct Inbox;
  explicit Completions(std::shared_ptr<Inbox> inbox);

  const std::shared_ptr<Inbox> inbox_;
  const pid_t process_;
  grpc::CompletionQueue queue_;
  std::thread thread_;
};

}  // namespace grove::client::rpc

#endif  // GROVE_CLIENT_RPC_COMPLETIONS_H_
