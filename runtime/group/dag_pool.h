// DagPool: bodies that depend on one another's results, each run as soon as it can be.
//
// A node has a key, the keys it depends on, and a body, which gets their values and makes its own.
// Its fiber starts when the last dependency is done: a node that waits costs no stack. Values can
// also be posted from outside, before or after others come to depend on them. A node that fails
// fails all that depend on it; their Status names the chain of keys.
//
//   DagPool<std::string> pool;
//   pool.Spawn("page", {}, [](auto&) { return Fetch(url); });
//   pool.Spawn("links", {"page"}, [](auto& inputs) { return Links(inputs["page"]); });
//   absl::StatusOr<std::string> links = pool.Wait("links");
//
// A wait for a key that nobody ever spawns or posts lasts until its Timeout. Dropping the pool
// cancels what runs; Close() waits for that, and must be used if bodies refer to what dies with the
// scope. Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_DAG_POOL_H_
#define GROVE_RUNTIME_GROUP_DAG_POOL_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/group/dag_graph.h"
#include "runtime/group/dag_runner.h"
#include "runtime/hub/check.h"

namespace grove {

// `Value` is copied to those who Wait(), and shared with the bodies that depend on it.
template <typename Value>
class DagPool {
 public:
  using Inputs = DagInputs<Value>;
  using Values = std::map<std::string, Value>;
  struct Item {
    std::string key;
    absl::StatusOr<Value> value;
  };
  using Body = absl::AnyInvocable<absl::StatusOr<Value>(const Inputs& inputs)>;

  // Some keys, one by one in the order in which they are settled.
  class Each {
   public:
    // The next; nothing after the last. kDeadlineExceeded, kCancelled: the caller's own, no item
    // was lost. **Parks.**
    absl::StatusOr<std::optional<Item>> Next();

   private:
    friend class DagPool;
    Each(std::unique_ptr<DagRunner::Completions> completions, DagFilter filter)
        : completions_(std::move(completions)), filter_(filter) {}
    std::unique_ptr<DagRunner::Completions> completions_;
    DagFilter filter_;
  };

  // `preload` is posted. Requires: not more of it than options.nodes_max.
  explicit DagPool(DagOptions options = {}, Values preload = {})
      : runner_(std::make_shared<DagRunner>(options)) {
    for (auto& [key, value] : preload) {
      GROVE_CHECK(Post(key, std::move(value)).ok(), "a DagPool's preload passes its nodes_max");
    }
  }
  ~DagPool() { runner_->Cancel(); }
  DagPool(const DagPool&) = delete;
  DagPool& operator=(const DagPool&) = delete;

  // kAlreadyExists: the key was spawned or posted. kInvalidArgument: a cycle, which the message
  // names. kResourceExhausted: too many keys. kCancelled: Cancel(). In all cases nothing changes.
  // A node that can't get a fiber later on fails with kResourceExhausted.
  absl::Status Spawn(std::string_view key, const std::vector<std::string>& depends, Body body);
  // The same body for many keys, each with what it depends on. Stops at the first that is refused,
  // with its status; those before it stand.
  absl::Status SpawnMany(const std::map<std::string, std::vector<std::string>>& nodes,
                         std::function<absl::StatusOr<Value>(const Inputs& inputs)> body) {
    for (const auto& [key, depends] : nodes) {
      if (absl::Status spawned = Spawn(key, depends, body); !spawned.ok()) return spawned;
    }
    return absl::OkStatus();
  }
  // A value, or a failure, from outside. kAlreadyExists: there is one and kReplace is not given, or
  // a body was spawned for the key. What has been made of a replaced value stays.
  absl::Status Post(std::string_view key, absl::StatusOr<Value> value,
                    DagPosting posting = DagPosting::kNew) {
    return runner_->Post(key, Erase(std::move(value)), posting);
  }
  // Takes a spawned body back, cancelling it if it runs. The key may be spawned or posted anew, and
  // its dependants wait for that. kNotFound: nothing was spawned; kFailedPrecondition: it has
  // ended.
  absl::Status Kill(std::string_view key) { return runner_->Kill(key); }

  // The value of `key`, which may be unknown yet, or its failure. kDeadlineExceeded, kCancelled of
  // the caller's own are told apart by `waited`, which is false for them. **Parks.**
  absl::StatusOr<Value> Wait(std::string_view key, bool* waited = nullptr);
  // The values of `keys`, or of all that are spawned or posted by now. The first failure, as soon
  // as it comes; kDeadlineExceeded, kCancelled. **Parks.**
  absl::StatusOr<Values> WaitAll(const std::vector<std::string>& keys);
  absl::StatusOr<Values> WaitAll() { return Collect(WaitEach()); }
  // One by one; the filter leaves out failures or successes.
  absl::StatusOr<Each> WaitEach(const std::vector<std::string>& keys,
                                DagFilter filter = DagFilter::kAll);
  Each WaitEach(DagFilter filter = DagFilter::kAll) { return EachOf(runner_->Known(), filter); }

  // Fails with kCancelled what is not settled, cancels what runs, and refuses what is new.
  void Cancel() { runner_->Cancel(); }
  // As Cancel(), and waits until no body runs, whatever happens to the caller.
  // kFailedPrecondition: called by a body. **Parks.**
  absl::Status Close() {
    runner_->Cancel();
    return runner_->JoinFibers();
  }

  // What `key` came to, if it is settled.
  std::optional<absl::StatusOr<Value>> Get(std::string_view key) const {
    const DagNode* node = runner_->graph().Find(key);
    if (node == nullptr || !node->settled()) return std::nullopt;
    return ResultOf(*node);
  }
  // All in order: of the settled ones, of the nodes that run, of those that wait (also for a
  // place).
  std::vector<std::string> keys() const { return Keys(&DagNode::settled); }
  std::vector<Item> items() const;
  std::vector<std::string> running_keys() const { return Keys(&Runs); }
  std::vector<std::string> waiting_keys() const { return Keys(&Waits); }
  // Fibers, those of killed nodes included until they have ended.
  size_t running() const { return runner_->running(); }
  size_t waiting() const { return waiting_keys().size(); }
  // The dependencies that `key` still waits for; none if it doesn't wait or is unknown.
  std::vector<std::string> WaitingFor(std::string_view key) const {
    return runner_->graph().WaitingFor(key);
  }

 private:
  static bool Runs(const DagNode& node) { return node.state == DagNode::State::kRunning; }
  static bool Waits(const DagNode& node) {
    return node.state == DagNode::State::kWaiting || node.state == DagNode::State::kReady;
  }
  static absl::StatusOr<Value> ResultOf(const DagNode& node) {
    if (node.state == DagNode::State::kFailed) return DagGraph::FailureOf(node);
    return *static_cast<const Value*>(node.value.get());
  }
  static absl::StatusOr<DagValue> Erase(absl::StatusOr<Value> value) {
    if (!value.ok()) return value.status();
    return DagValue(std::make_shared<const Value>(*std::move(value)));
  }
  Each EachOf(const std::vector<DagNode*>& nodes, DagFilter filter) {
    return Each(std::make_unique<DagRunner::Completions>(runner_, nodes), filter);
  }
  template <typename Matches>
  std::vector<std::string> Keys(Matches matches) const;
  absl::StatusOr<Values> Collect(Each each);

  const std::shared_ptr<DagRunner> runner_;  // shared with the fibers
};

template <typename Value>
absl::Status DagPool<Value>::Spawn(std::string_view key, const std::vector<std::string>& depends,
                                   Body body) {
  using Given = std::vector<DagInput>;
  return runner_->Spawn(
      key, depends, [body = std::move(body)](const std::string& own, const Given& given) mutable {
        return Erase(body(Inputs(own, given)));
      });
}

template <typename Value>
absl::StatusOr<Value> DagPool<Value>::Wait(std::string_view key, bool* waited) {
  if (waited != nullptr) *waited = true;
  const std::shared_ptr<DagRunner> runner = runner_;  // the pool may be dropped meanwhile
  absl::StatusOr<std::vector<DagNode*>> nodes = runner->Find({std::string(key)});
  if (!nodes.ok()) return nodes.status();
  DagNode& node = *nodes->front();
  if (absl::Status settled = runner->Wait(node); !settled.ok()) {
    if (waited != nullptr) *waited = false;
    return settled;
  }
  return ResultOf(node);
}

template <typename Value>
auto DagPool<Value>::Each::Next() -> absl::StatusOr<std::optional<Item>> {
  for (;;) {
    absl::StatusOr<DagNode*> node = completions_->Next();
    if (!node.ok()) return node.status();
    if (*node == nullptr) return std::optional<Item>();
    const bool success = (*node)->state == DagNode::State::kDone;
    if (filter_ == (success ? DagFilter::kFailures : DagFilter::kSuccesses)) continue;
    return std::optional<Item>({(*node)->key, ResultOf(**node)});
  }
}

template <typename Value>
auto DagPool<Value>::Collect(Each each) -> absl::StatusOr<Values> {
  Values values;
  for (;;) {
    absl::StatusOr<std::optional<Item>> item = each.Next();
    if (!item.ok()) return item.status();
    if (!item->has_value()) return values;
    if (!(*item)->value.ok()) return (*item)->value.status();
    values.emplace(std::move((*item)->key), *std::move((*item)->value));
  }
}

template <typename Value>
auto DagPool<Value>::WaitAll(const std::vector<std::string>& keys) -> absl::StatusOr<Values> {
  absl::StatusOr<Each> each = WaitEach(keys);
  if (!each.ok()) return each.status();
  return Collect(*std::move(each));
}

template <typename Value>
auto DagPool<Value>::WaitEach(const std::vector<std::string>& keys, DagFilter filter)
    -> absl::StatusOr<Each> {
  absl::StatusOr<std::vector<DagNode*>> nodes = runner_->Find(keys);
  if (!nodes.ok()) return nodes.status();
  return EachOf(*nodes, filter);
}

template <typename Value>
template <typename Matches>
std::vector<std::string> DagPool<Value>::Keys(Matches matches) const {
  std::vector<std::string> keys;
  for (const auto& [key, node] : runner_->graph().nodes()) {
    if (std::invoke(matches, node)) keys.push_back(key);
  }
  return keys;
}

template <typename Value>
auto DagPool<Value>::items() const -> std::vector<Item> {
  std::vector<Item> items;
  for (const auto& [key, node] : runner_->graph().nodes()) {
    if (node.settled()) items.push_back({key, ResultOf(node)});
  }
  return items;
}

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_DAG_POOL_H_
