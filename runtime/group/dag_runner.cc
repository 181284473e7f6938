#include "runtime/group/dag_runner.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/exception_text.h"
#include "runtime/hub/hub.h"

namespace grove {

// One run of a node, from the spawn to the end of its body; also if the body never starts.
class DagRunner::Run {
 public:
  Run(std::shared_ptr<DagRunner> runner, DagNode& node, std::vector<DagInput> inputs)
      : runner_(std::move(runner)),
        node_(node),
        run_(node.run),
        inputs_(std::move(inputs)),
        body_(std::move(node.body)) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (fiber_ == nullptr) return;
    runner_->fibers_.erase(fiber_);
    body_ = nullptr;  // before those who wait for it are told
    runner_->Finish(node_, run_, std::move(result_));
  }

  void Begin(const Fiber* fiber) {
    fiber_ = fiber;
    runner_->fibers_.insert(fiber);
  }
  // There was no fiber to be had.
  void Abandon() { node_.body = std::move(body_); }

  void Body() {
    const std::string where = absl::StrFormat("node \"%s\"", node_.key);
    result_ = absl::UnknownError(DescribeUnknownException(where));
    try {
      result_ = body_(node_.key, inputs_);
    } catch (const std::exception&) {
      result_ = absl::UnknownError(DescribeCurrentException(where));
    }
  }

 private:
  const std::shared_ptr<DagRunner> runner_;
  DagNode& node_;
  const uint64_t run_;
  const std::vector<DagInput> inputs_;
  DagNode::Body body_;
  const Fiber* fiber_ = nullptr;
  absl::StatusOr<DagValue> result_ = absl::CancelledError("cancelled before it started");
};

DagRunner::Completions::Completions(std::shared_ptr<DagRunner> runner,
                                    const std::vector<DagNode*>& nodes)
    : runner_(std::move(runner)) {
  for (DagNode* node : nodes) {
    if (node->settled()) {
      settled_.push_back(node);
    } else {
      awaited_.push_back(node);
    }
  }
  std::sort(settled_.begin(), settled_.end(),
            [](const DagNode* a, const DagNode* b) { return a->settled_at < b->settled_at; });
  settled_.erase(std::unique(settled_.begin(), settled_.end()), settled_.end());
  std::sort(awaited_.begin(), awaited_.end());
  awaited_.erase(std::unique(awaited_.begin(), awaited_.end()), awaited_.end());
  runner_->completions_.push_back(this);
}

DagRunner::Completions::~Completions() {
  std::erase(runner_->completions_, this);
}

void DagRunner::Completions::Add(DagNode& node) {
  const auto found = std::lower_bound(awaited_.begin(), awaited_.end(), &node);
  if (found == awaited_.end() || *found != &node) return;
  awaited_.erase(found);
  settled_.push_back(&node);
  changed_.Set();
}

absl::StatusOr<DagNode*> DagRunner::Completions::Next() {
  while (settled_.empty()) {
    if (awaited_.empty()) return nullptr;
    changed_.Reset();
    if (absl::Status waited = changed_.Wait(); !waited.ok()) return waited;
  }
  DagNode* const next = settled_.front();
  settled_.pop_front();
  return next;
}

absl::Status DagRunner::Spawn(std::string_view key, const std::vector<std::string>& depends,
                              DagNode::Body body) {
  if (cancelled_) return absl::CancelledError("spawn in a DAG pool: the pool was cancelled");
  std::vector<DagNode*> failed;
  absl::StatusOr<DagNode*> node = graph_.Add(key, depends, failed);
  if (!node.ok()) return node.status();
  if ((*node)->settled()) {
    Announce(failed);
    return absl::OkStatus();
  }
  (*node)->body = std::move(body);
  if ((*node)->state == DagNode::State::kReady) ready_.push_back(*node);
  StartReady();
  return absl::OkStatus();
}

void DagRunner::StartReady() {
  // Settling a node here leads back here: the outermost call does the work.
  if (std::exchange(starting_, true)) return;
  while (!ready_.empty() && running() < options_.running_max) {
    DagNode& node = *ready_.front();
    ready_.pop_front();
    if (absl::Status started = Start(node); started.ok()) continue;
    // The hub has no room. While fibers of ours run, the end of one is the time to try again.
    if (running() > 0) {
      ready_.push_front(&node);
      break;
    }
    Settle(node, absl::ResourceExhaustedError(
                     absl::StrFormat("node \"%s\": no fiber to run it on", node.key)));
  }
  starting_ = false;
}

absl::Status DagRunner::Start(DagNode& node) {
  std::vector<DagInput> inputs;
  for (const DagNode* on : node.depends) {
    if (on->state == DagNode::State::kFailed) {  // replaced since this became ready
      std::vector<DagNode*> failed;
      graph_.FailThrough(node, *on, failed);
      Announce(failed);
      return absl::OkStatus();
    }
    inputs.push_back({&on->key, on->value});
  }
  node.run = ++runs_;
  auto run = std::make_shared<Run>(shared_from_this(), node, std::move(inputs));
  absl::StatusOr<FiberHandle> fiber = grove::Spawn({.name = node.key}, [run] { run->Body(); });
  if (!fiber.ok()) {
    run->Abandon();
    return fiber.status();
  }
  run->Begin(fiber->get());
  node.state = DagNode::State::kRunning;
  node.fiber = *std::move(fiber);
  return absl::OkStatus();
}

void DagRunner::Finish(DagNode& node, uint64_t run, absl::StatusOr<DagValue> result) {
  // Else it was killed, and may be running anew.
  if (node.run == run && node.state == DagNode::State::kRunning) {
    node.fiber = FiberHandle();
    Settle(node, std::move(result));
  } else {
    StartReady();
  }
  if (!fibers_.empty()) return;
  while (Waiter* waiter = all_ended_.Grant()) Hub::Current()->Unpark(*waiter->fiber);
}

void DagRunner::Settle(DagNode& node, absl::StatusOr<DagValue> result) {
  std::vector<DagNode*> settled;
  if (result.ok()) {
    std::vector<DagNode*> ready;
    graph_.Done(node, *std::move(result), ready);
    ready_.insert(ready_.end(), ready.begin(), ready.end());
    settled.push_back(&node);
  } else {
    graph_.Fail(node, result.status(), settled);
  }
  Announce(settled);
}

void DagRunner::Announce(const std::vector<DagNode*>& settled) {
  for (DagNode* node : settled) {
    node->body = nullptr;
    for (Completions* each : completions_) each->Add(*node);
    while (Waiter* waiter = node->waiters.Grant()) Hub::Current()->Unpark(*waiter->fiber);
  }
  StartReady();
}

absl::Status DagRunner::Post(std::string_view key, absl::StatusOr<DagValue> value,
                             DagPosting posting) {
  if (cancelled_) return absl::CancelledError("post to a DAG pool: the pool was cancelled");
  absl::StatusOr<DagNode*> node = graph_.FindOrMake(key);
  if (!node.ok()) return node.status();
  if ((*node)->state == DagNode::State::kUnknown) {
    Settle(**node, std::move(value));
  } else if (!(*node)->settled()) {
    return absl::AlreadyExistsError(
        absl::StrFormat("post \"%s\": a body was spawned for it; kill that first", key));
  } else if (posting == DagPosting::kNew) {
    return absl::AlreadyExistsError(absl::StrFormat("post \"%s\": it has a value already", key));
  } else {
    graph_.Replace(**node, std::move(value));
  }
  return absl::OkStatus();
}

absl::Status DagRunner::Kill(std::string_view key) {
  DagNode* const node = graph_.Find(key);
  if (node == nullptr || node->state == DagNode::State::kUnknown) {
    return absl::NotFoundError(absl::StrFormat("kill \"%s\": nothing was spawned for it", key));
  }
  if (node->settled()) {
    return absl::FailedPreconditionError(absl::StrFormat("kill \"%s\": it has ended", key));
  }
  std::erase(ready_, node);
  graph_.Forget(*node);
  node->body = nullptr;
  if (FiberHandle fiber = std::exchange(node->fiber, FiberHandle())) fiber.Cancel();
  return absl::OkStatus();
}

void DagRunner::Cancel() {
  if (std::exchange(cancelled_, true)) return;
  ready_.clear();
  std::vector<DagNode*> failed;
  for (const auto& [key, unused] : graph_.nodes()) {
    DagNode& node = *graph_.Find(key);
    if (node.settled()) continue;
    if (FiberHandle fiber = std::exchange(node.fiber, FiberHandle())) fiber.Cancel();
    graph_.Fail(node, absl::CancelledError("the DAG pool was cancelled"), failed);
  }
  Announce(failed);
}

absl::Status DagRunner::JoinFibers() {
  if (fibers_.empty()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  if (fibers_.contains(hub.running())) {
    return absl::FailedPreconditionError("a node can't wait for the end of its own pool");
  }
  while (!fibers_.empty()) {
    Waiter self{.fiber = hub.running()};
    all_ended_.PushBack(self);
    while (!self.granted) hub.ParkShielded({.kind = WaitFor::Kind::kPool, .object = this});
  }
  return absl::OkStatus();
}

absl::Status DagRunner::Wait(DagNode& node) {
  if (node.settled()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running()};
  node.waiters.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kPool, .object = this});
  if (self.granted) return absl::OkStatus();
  node.waiters.Remove(self);
  return WakeStatus(wake, "wait for a node of a DAG pool");
}

absl::StatusOr<std::vector<DagNode*>> DagRunner::Find(const std::vector<std::string>& keys) {
  std::vector<DagNode*> nodes;
  for (const std::string& key : keys) {
    absl::StatusOr<DagNode*> node = graph_.FindOrMake(key);
    if (!node.ok()) return node.status();
    if (cancelled_ && !(*node)->settled()) {
      return absl::CancelledError("wait for a node of a DAG pool: the pool was cancelled");
    }
    nodes.push_back(*node);
  }
  return nodes;
}

std::vector<DagNode*> DagRunner::Known() {
  std::vector<DagNode*> known;
  for (const auto& [key, node] : graph_.nodes()) {
    if (node.state != DagNode::State::kUnknown) known.push_back(graph_.Find(key));
  }
  return known;
}

}  // namespace grove
