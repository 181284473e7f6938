// CoroutineNode: one SymmetricCoroutine, its place in the chain of parents, and what was passed to
// it. A node ends once; what it ends with goes to its nearest live parent.
//
// Shared by handles, children and the fiber of its body. Hub thread only.
#ifndef GROVE_RUNTIME_COROUTINE_COROUTINE_NODE_H_
#define GROVE_RUNTIME_COROUTINE_COROUTINE_NODE_H_

#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/exception_text.h"
#include "runtime/hub/hub.h"
#include "runtime/sync/queue.h"

namespace grove {

template <typename T>
struct CoroutineNode {
  enum class State : uint8_t { kNew, kActive, kEnded };
  struct Delivery {
    absl::StatusOr<T> value;
    std::exception_ptr exception = nullptr;  // then `value` is a failure
  };
  using Ptr = std::shared_ptr<CoroutineNode>;
  // Takes the first value from the inbox itself.
  using Run = absl::AnyInvocable<absl::StatusOr<T>(const Ptr& self)>;

  CoroutineNode() = default;
  ~CoroutineNode();
  CoroutineNode(const CoroutineNode&) = delete;
  CoroutineNode& operator=(const CoroutineNode&) = delete;

  // The node itself or the nearest of its parents that has not ended; null if there is none.
  static Ptr NearestLive(Ptr node);
  // Passes it to the nearest live one, starting that if need be; without one it is gone.
  static void Deliver(Ptr node, Delivery delivery);
  // Requires: kNew. kResourceExhausted: no fiber, and nothing has changed.
  static absl::Status Start(const Ptr& node);
  // The last handle has been dropped.
  void Drop();

  Hub* hub = nullptr;
  State state = State::kNew;
  const Fiber* fiber = nullptr;  // while active
  FiberHandle own;               // the fiber of `run`; none if this stands for another fiber
  SpawnOptions options;
  Run run;
  Ptr parent;
  Queue<Delivery> inbox;

 private:
  class Guard;
};

template <typename T>
CoroutineNode<T>::~CoroutineNode() {
  // One by one: a chain of parents may be longer than a stack.
  Ptr next = std::move(parent);
  while (next != nullptr && next.use_count() == 1) next = std::exchange(next->parent, nullptr);
}

// Ends a node, also when its body throws or never runs: it dies with the fiber's closure.
template <typename T>
class CoroutineNode<T>::Guard {
 public:
  explicit Guard(Ptr n) : node(std::move(n)) {}
  Guard(Guard&&) noexcept = default;
  ~Guard() {
    if (node == nullptr || node->fiber == nullptr) return;
    node->state = State::kEnded;
    node->fiber = nullptr;
    node->own = FiberHandle();
    node->run = nullptr;
    Deliver(node->parent, std::move(result));
  }
  void Run() {
    result = Delivery{absl::UnknownError(DescribeUnknownException("a coroutine"))};
    try {
      result = Delivery{node->run(node)};
    } catch (const std::exception&) {
      result = Delivery{absl::UnknownError(DescribeCurrentException("a coroutine")),
                        std::current_exception()};
    }
  }

 private:
  Ptr node;
  Delivery result{absl::CancelledError("the coroutine was cancelled before it started")};
};

template <typename T>
auto CoroutineNode<T>::NearestLive(Ptr node) -> Ptr {
  while (node != nullptr && node->state == State::kEnded) node = node->parent;
  return node;
}

template <typename T>
void CoroutineNode<T>::Deliver(Ptr node, Delivery delivery) {
  for (node = NearestLive(std::move(node)); node != nullptr; node = NearestLive(std::move(node))) {
    if (node->state == State::kNew && delivery.value.ok()) {
      if (absl::Status started = Start(node); !started.ok()) delivery = Delivery{started};
    }
    if (node->state == State::kActive) {
      node->inbox.TryPut(std::move(delivery));
      return;
    }
    // A failure passed to one that was never started ends it, and goes on to its parent.
    node->state = State::kEnded;
    node->run = nullptr;
  }
}

template <typename T>
absl::Status CoroutineNode<T>::Start(const Ptr& node) {
  absl::StatusOr<FiberHandle> spawned =
      Spawn(node->options, [guard = Guard(node)]() mutable { guard.Run(); });
  if (!spawned.ok()) return spawned.status();
  node->state = State::kActive;
  node->fiber = spawned->get();
  node->own = *std::move(spawned);
  return absl::OkStatus();
}

template <typename T>
void CoroutineNode<T>::Drop() {
  if (own) {
    own.Cancel();
  } else {
    state = State::kEnded;
    run = nullptr;
  }
}

}  // namespace grove

#endif  // GROVE_RUNTIME_COROUTINE_COROUTINE_NODE_H_
