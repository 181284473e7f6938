// SymmetricCoroutine: bodies that pass control and a value to one another by name.
//
// SwitchTo(target, value) suspends the one that calls it and continues `target`, whose own SwitchTo
// returns the value. Whoever ends passes its result to its parent, so control never gets lost. This
// is greenlet's model. For a body that only answers whoever resumed it take Coroutine, for values
// that a body makes Generator, for work that need not take turns a Queue: these need no care as to
// who runs.
//
//   auto root = SymmetricCoroutine<int>::OfThisFiber();
//   auto twice = SymmetricCoroutine<int>::Make({}, root, [](int n, auto& self) { return 2 * n; });
//   absl::StatusOr<int> eight = root.SwitchTo(twice, 4);
//
// Each runs on a fiber of its own from its first value on, and may park on anything. Dropping the
// last handle of a suspended one (its `self` and its children's parent links don't count) cancels
// it: its SwitchTo() returns kCancelled, and it runs to its end. Hub thread only.
#ifndef GROVE_RUNTIME_COROUTINE_SYMMETRIC_COROUTINE_H_
#define GROVE_RUNTIME_COROUTINE_SYMMETRIC_COROUTINE_H_

#include <exception>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/coroutine/coroutine_node.h"
#include "runtime/hub/hub.h"

namespace grove {

template <typename T>
class SymmetricCoroutine {
 public:
  // `first` is the value that started it. What it returns or throws goes to its parent.
  using Body = absl::AnyInvocable<absl::StatusOr<T>(T first, SymmetricCoroutine& self)>;

  // None, until one is assigned: for those that name one another.
  SymmetricCoroutine() = default;
  // Stands for the running fiber. Has no parent, and ends when its last handle is dropped.
  static SymmetricCoroutine OfThisFiber();
  static SymmetricCoroutine Make(const SpawnOptions& options, const SymmetricCoroutine& parent,
                                 Body body);

  // All four are for the coroutine that runs now, on its own handle. They return what is passed to
  // it next: a value, a Status that was thrown into it or that one of its children ended with; an
  // exception is thrown here. A target that has ended stands for its nearest parent that has not.
  // kFailedPrecondition, and nothing was passed: this is not the coroutine that runs (perhaps that
  // of another hub), the target is none, belongs to another hub, has no parent left, or has not
  // taken what was passed to it last. kResourceExhausted: the target could not be started.
  // kDeadlineExceeded, kCancelled of the caller's own: the value was passed; Await() for the
  // answer. **Parks.**
  absl::StatusOr<T> SwitchTo(const SymmetricCoroutine& target, T value);
  // Makes the target's SwitchTo() return `status` or throw `exception`. One that was never started
  // ends without running, and its parent gets it. Requires: not OK, not null.
  absl::StatusOr<T> ThrowInto(const SymmetricCoroutine& target, absl::Status status);
  absl::StatusOr<T> ThrowInto(const SymmetricCoroutine& target, std::exception_ptr exception);
  absl::StatusOr<T> Await();

  // kInvalidArgument: the chain of parents would be a cycle, which the message says.
  // kFailedPrecondition: this stands for a fiber, or `parent` belongs to another hub. Requires of
  // both, and of the queries: not none.
  absl::Status SetParent(const SymmetricCoroutine& parent);
  bool IsParentOf(const SymmetricCoroutine& other) const { return other.node_->parent == node_; }
  // Started and not ended.
  bool active() const { return node_->state == State::kActive; }
  bool ended() const { return node_->state == State::kEnded; }

 private:
  using Node = CoroutineNode<T>;
  using State = typename Node::State;
  using Delivery = typename Node::Delivery;
  // Dies with the last handle.
  struct Owner {
    explicit Owner(Node& n) : node(n) {}
    ~Owner() { node.Drop(); }
    Node& node;
  };

  explicit SymmetricCoroutine(std::shared_ptr<Node> node)
      : node_(std::move(node)), owner_(std::make_shared<Owner>(*node_)) {}
  SymmetricCoroutine(std::shared_ptr<Node> node, std::shared_ptr<Owner> owner)
      : node_(std::move(node)), owner_(std::move(owner)) {}

  absl::Status CheckRunning() const;
  absl::StatusOr<T> Pass(const SymmetricCoroutine& target, Delivery delivery);

  std::shared_ptr<Node> node_;
  std::shared_ptr<Owner> owner_;  // dies before node_; null in a body's `self`
};

template <typename T>
auto SymmetricCoroutine<T>::OfThisFiber() -> SymmetricCoroutine {
  auto node = std::make_shared<Node>();
  node->hub = Hub::Current();
  node->fiber = node->hub->running();
  node->state = State::kActive;
  return SymmetricCoroutine(std::move(node));
}

template <typename T>
auto SymmetricCoroutine<T>::Make(const SpawnOptions& options, const SymmetricCoroutine& parent,
                                 Body body) -> SymmetricCoroutine {
  auto node = std::make_shared<Node>();
  node->hub = Hub::Current();
  node->options = options;
  node->parent = parent.node_;
  node->run = [body =
                   std::move(body)](const std::shared_ptr<Node>& own) mutable -> absl::StatusOr<T> {
    SymmetricCoroutine self(own, nullptr);
    absl::StatusOr<T> first = self.Await();
    if (!first.ok()) return first;
    return body(*std::move(first), self);
  };
  return SymmetricCoroutine(std::move(node));
}

template <typename T>
absl::Status SymmetricCoroutine<T>::CheckRunning() const {
  Hub* const hub = Hub::Current();
  if (node_ == nullptr) return absl::FailedPreconditionError("switch: there is no coroutine yet");
  if (hub != node_->hub) {
    return absl::FailedPreconditionError("switch: the coroutine belongs to another hub");
  }
  if (node_->state != State::kActive || hub->running() != node_->fiber) {
    return absl::FailedPreconditionError("switch: only the coroutine that runs can switch away");
  }
  return absl::OkStatus();
}

template <typename T>
absl::StatusOr<T> SymmetricCoroutine<T>::Pass(const SymmetricCoroutine& target, Delivery delivery) {
  if (absl::Status runs = CheckRunning(); !runs.ok()) return runs;
  if (target.node_ == nullptr) {
    return absl::FailedPreconditionError("switch: the target is none yet");
  }
  if (target.node_->hub != node_->hub) {
    return absl::FailedPreconditionError("switch: the target belongs to another hub");
  }
  const std::shared_ptr<Node> live = Node::NearestLive(target.node_);
  if (live == nullptr) {
    return absl::FailedPreconditionError("switch: the target and all its parents have ended");
  }
  if (!live->inbox.empty()) {
    return absl::FailedPreconditionError("switch: the target has not taken what it was passed");
  }
  if (live->state == State::kNew && delivery.value.ok()) {
    if (absl::Status started = Node::Start(live); !started.ok()) return started;
  }
  Node::Deliver(live, std::move(delivery));
  return Await();
}

template <typename T>
absl::StatusOr<T> SymmetricCoroutine<T>::Await() {
  if (absl::Status runs = CheckRunning(); !runs.ok()) return runs;
  absl::StatusOr<Delivery> delivery = node_->inbox.Get();
  if (!delivery.ok()) return delivery.status();
  if (delivery->exception != nullptr) std::rethrow_exception(std::move(delivery->exception));
  return std::move(delivery->value);
}

template <typename T>
absl::StatusOr<T> SymmetricCoroutine<T>::SwitchTo(const SymmetricCoroutine& target, T value) {
  return Pass(target, Delivery{std::move(value)});
}

template <typename T>
absl::StatusOr<T> SymmetricCoroutine<T>::ThrowInto(const SymmetricCoroutine& target,
                                                   absl::Status status) {
  return Pass(target, Delivery{std::move(status)});
}

template <typename T>
absl::StatusOr<T> SymmetricCoroutine<T>::ThrowInto(const SymmetricCoroutine& target,
                                                   std::exception_ptr exception) {
  return Pass(target, Delivery{absl::UnknownError("an exception"), std::move(exception)});
}

template <typename T>
absl::Status SymmetricCoroutine<T>::SetParent(const SymmetricCoroutine& parent) {
  if (node_->run == nullptr) {
    return absl::FailedPreconditionError("set parent: this stands for a fiber, or has ended");
  }
  if (parent.node_->hub != node_->hub) {
    return absl::FailedPreconditionError("set parent: the parent belongs to another hub");
  }
  for (const Node* at = parent.node_.get(); at != nullptr; at = at->parent.get()) {
    if (at == node_.get()) return absl::InvalidArgumentError("set parent: a cycle of parents");
  }
  node_->parent = parent.node_;
  return absl::OkStatus();
}

}  // namespace grove

#endif  // GROVE_RUNTIME_COROUTINE_SYMMETRIC_COROUTINE_H_
