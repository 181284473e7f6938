// DagGraph: named nodes that wait for one another, and which of them may go on.
//
// A node waits until all that it depends on are settled: done, or failed, and then it fails, too.
// A dependency may be named before it is added. Pure: no fibers and no time, bodies and values are
// opaque. Addresses of nodes are stable; they live as long as the graph.
// Owned by one DagRunner (dag_runner.h).
#ifndef GROVE_RUNTIME_GROUP_DAG_GRAPH_H_
#define GROVE_RUNTIME_GROUP_DAG_GRAPH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/check.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/wait_list.h"

namespace grove {

using DagValue = std::shared_ptr<const void>;

struct DagNode;

// What a failed node failed of: its own status, or that of the node where the failure began.
struct DagFailure {
  absl::Status status;
  const DagNode* origin;
};

// The value of a dependency, as of the start of the body that gets it.
struct DagInput {
  const std::string* key;  // lives as long as the graph
  DagValue value;
};

// What a body gets of the nodes it depends on: the values as of its start, valid while it runs.
template <typename Value>
class DagInputs {
 public:
  DagInputs(const std::string& key, const std::vector<DagInput>& inputs)
      : key_(key), inputs_(inputs) {}

  // The key of the node whose body this is.
  std::string_view key() const { return key_; }
  size_t size() const { return inputs_.size(); }
  // Requires: the node depends on `key`.
  const Value& operator[](std::string_view key) const {
    for (const DagInput& input : inputs_) {
      if (*input.key == key) return ValueOf(input);
    }
    CheckFailed(__FILE__, __LINE__, "the node depends on the key", key);
  }
  // `visit(key, value)` for each dependency, in the order of their keys.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const DagInput& input : inputs_) visit(std::string_view(*input.key), ValueOf(input));
  }

 private:
  static const Value& ValueOf(const DagInput& input) {
    return *static_cast<const Value*>(input.value.get());
  }

  const std::string& key_;
  const std::vector<DagInput>& inputs_;
};

struct DagNode {
  enum class State : uint8_t {
    kUnknown,  // others depend on it; neither spawned nor posted yet, or killed
    kWaiting,  // for dependencies
    kReady,    // for a place to run
    kRunning,
    kDone,
    kFailed,
  };
  using Body = absl::AnyInvocable<absl::StatusOr<DagValue>(const std::string& key,
                                                           const std::vector<DagInput>& inputs)>;

  bool settled() const { return state == State::kDone || state == State::kFailed; }

  std::string key;
  State state = State::kUnknown;
  std::vector<DagNode*> depends;     // each once
  std::vector<DagNode*> dependants;  // that may wait for this one
  size_t missing = 0;                // of `depends`, not done
  uint64_t settled_at = 0;           // ascends in order of completion
  DagValue value;
  std::shared_ptr<const DagFailure> failure;  // kFailed
  const DagNode* failed_through = nullptr;    // the dependency whose failure it is; null: its own
  size_t failed_depth = 0;                    // steps from here to the origin

  // The runner's.
  Body body;
  FiberHandle fiber;
  uint64_t run = 0;  // tells a killed run from a later one
  WaitList waiters;
};

class DagGraph {
 public:
  // Of a chain or cycle, so many keys are named in a message.
  static constexpr size_t kKeysShown = 16;

  explicit DagGraph(size_t nodes_max) : nodes_max_(nodes_max) {}

  // Adds a node; it is kReady, kWaiting, or kFailed if a dependency has failed: then it and those
  // that failed with it are appended to `failed`. kAlreadyExists: it was spawned or posted before.
  // kInvalidArgument: it would depend on itself; the message names the cycle. kResourceExhausted:
  // nodes_max keys would be passed. On failure nothing changes.
  absl::StatusOr<DagNode*> Add(std::string_view key, const std::vector<std::string>& depends,
                               std::vector<DagNode*>& failed);
  // The node of a key, made as kUnknown if need be. kResourceExhausted as Add.
  absl::StatusOr<DagNode*> FindOrMake(std::string_view key);
  // Null if nobody has named it.
  DagNode* Find(std::string_view key);
  const std::map<std::string, DagNode, std::less<>>& nodes() const { return nodes_; }
  // The dependencies that a kWaiting node lacks; none of another.
  std::vector<std::string> WaitingFor(std::string_view key);

  // Both settle `node`, and append those that became kReady, or that failed with it and `node`
  // itself, in the order of their adding. Require: not settled.
  void Done(DagNode& node, DagValue value, std::vector<DagNode*>& ready);
  void Fail(DagNode& node, absl::Status status, std::vector<DagNode*>& failed);
  // As Fail(), because `dependency` has failed. Requires: it has.
  void FailThrough(DagNode& node, const DagNode& dependency, std::vector<DagNode*>& failed);
  // Replaces what a settled node came to. What has been settled through it stays.
  void Replace(DagNode& node, absl::StatusOr<DagValue> value);
  // Back to kUnknown; its dependants wait on. Requires: not settled.
  void Forget(DagNode& node);

  // Of a kFailed node, made when asked: a chain of n failures costs no n texts. The code is the
  // origin's.
  static absl::Status FailureOf(const DagNode& node);

 private:
  absl::Status CheckAcyclic(std::string_view key, const std::vector<std::string>& depends);
  void Settle(DagNode& node, DagNode::State state);
  void FailDependants(size_t first, std::vector<DagNode*>& failed);

  const size_t nodes_max_;
  uint64_t settled_ = 0;
  std::map<std::string, DagNode, std::less<>> nodes_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_DAG_GRAPH_H_
