#include "runtime/group/dag_graph.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"

namespace grove {
namespace {

// `"a" -> "b" -> "a"`, shortened in the middle.
std::string CycleText(const std::vector<const DagNode*>& path, std::string_view key) {
  std::string text = absl::StrFormat("\"%s\"", key);
  for (size_t i = 0; i < path.size(); ++i) {
    if (i == DagGraph::kKeysShown) {
      text += absl::StrFormat(" -> … %d more", path.size() - i);
      break;
    }
    text += absl::StrFormat(" -> \"%s\"", path[i]->key);
  }
  return text + absl::StrFormat(" -> \"%s\"", key);
}

}  // namespace

DagNode* DagGraph::Find(std::string_view key) {
  const auto found = nodes_.find(key);
  return found == nodes_.end() ? nullptr : &found->second;
}

absl::StatusOr<DagNode*> DagGraph::FindOrMake(std::string_view key) {
  if (DagNode* node = Find(key)) return node;
  if (nodes_.size() >= nodes_max_) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("key \"%s\": the graph is at its limit of %d keys", key, nodes_max_));
  }
  DagNode& node = nodes_[std::string(key)];
  node.key = key;
  return &node;
}

std::vector<std::string> DagGraph::WaitingFor(std::string_view key) {
  std::vector<std::string> keys;
  const DagNode* const node = Find(key);
  if (node == nullptr || node->state != DagNode::State::kWaiting) return keys;
  for (const DagNode* on : node->depends) {
    if (!on->settled()) keys.push_back(on->key);
  }
  return keys;
}

// Walks what `depends` wait for, and looks for `key` among it. Settled nodes wait for nothing.
absl::Status DagGraph::CheckAcyclic(std::string_view key, const std::vector<std::string>& depends) {
  const DagNode* const target = Find(key);
  std::unordered_map<const DagNode*, const DagNode*> reached_from;
  std::vector<const DagNode*> to_visit;
  for (const std::string& dependency : depends) {
    if (dependency == key) {
      return absl::InvalidArgumentError(absl::StrFormat("\"%s\" depends on itself", key));
    }
    const DagNode* node = Find(dependency);
    // Nobody depends on a key that nobody has named.
    if (target == nullptr || node == nullptr) continue;
    if (reached_from.emplace(node, nullptr).second) to_visit.push_back(node);
  }
  while (!to_visit.empty()) {
    const DagNode* const node = to_visit.back();
    to_visit.pop_back();
    if (node == target) {
      std::vector<const DagNode*> path;
      for (const DagNode* at = reached_from[node]; at != nullptr; at = reached_from[at]) {
        path.push_back(at);
      }
      std::reverse(path.begin(), path.end());
      return absl::InvalidArgumentError(
          absl::StrFormat("a cycle, none of whose nodes could ever run: %s", CycleText(path, key)));
    }
    if (node->state != DagNode::State::kWaiting) continue;
    for (const DagNode* next : node->depends) {
      if (reached_from.emplace(next, node).second) to_visit.push_back(next);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<DagNode*> DagGraph::Add(std::string_view key,
                                       const std::vector<std::string>& depends,
                                       std::vector<DagNode*>& failed) {
  if (const DagNode* node = Find(key); node != nullptr && node->state != DagNode::State::kUnknown) {
    return absl::AlreadyExistsError(
        absl::StrFormat("key \"%s\" was spawned or posted already", key));
  }
  if (absl::Status acyclic = CheckAcyclic(key, depends); !acyclic.ok()) return acyclic;
  std::vector<std::string> named = depends;
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  size_t fresh = Find(key) == nullptr;
  for (const std::string& dependency : named) fresh += Find(dependency) == nullptr;
  if (fresh > nodes_max_ - nodes_.size()) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("key \"%s\": with its dependencies the graph would pass its limit of %d "
                        "keys",
                        key, nodes_max_));
  }
  DagNode& node = **FindOrMake(key);
  node.state = DagNode::State::kWaiting;
  const DagNode* cause = nullptr;
  for (const std::string& dependency : named) {
    DagNode& on = **FindOrMake(dependency);
    node.depends.push_back(&on);
    if (on.state == DagNode::State::kDone) continue;
    if (on.state == DagNode::State::kFailed) cause = &on;
    ++node.missing;
    if (!on.settled()) on.dependants.push_back(&node);
  }
  if (cause != nullptr) {
    FailThrough(node, *cause, failed);
  } else if (node.missing == 0) {
    node.state = DagNode::State::kReady;
  }
  return &node;
}

void DagGraph::Settle(DagNode& node, DagNode::State state) {
  GROVE_CHECK(!node.settled(), "a node is settled once");
  node.state = state;
  node.settled_at = ++settled_;
}

void DagGraph::Done(DagNode& node, DagValue value, std::vector<DagNode*>& ready) {
  Settle(node, DagNode::State::kDone);
  node.value = std::move(value);
  for (DagNode* dependant : std::exchange(node.dependants, {})) {
    // One that has failed through another dependency stands here still.
    if (dependant->state != DagNode::State::kWaiting || --dependant->missing > 0) continue;
    dependant->state = DagNode::State::kReady;
    ready.push_back(dependant);
  }
}

void DagGraph::Fail(DagNode& node, absl::Status status, std::vector<DagNode*>& failed) {
  Settle(node, DagNode::State::kFailed);
  node.failure = std::make_shared<DagFailure>(DagFailure{std::move(status), &node});
  const size_t first = failed.size();
  failed.push_back(&node);
  FailDependants(first, failed);
}

void DagGraph::FailThrough(DagNode& node, const DagNode& dependency,
                           std::vector<DagNode*>& failed) {
  Settle(node, DagNode::State::kFailed);
  node.failure = dependency.failure;
  node.failed_through = &dependency;
  node.failed_depth = dependency.failed_depth + 1;
  const size_t first = failed.size();
  failed.push_back(&node);
  FailDependants(first, failed);
}

// Those of failed[first…], theirs, and so on: breadth first, a chain may be longer than a stack.
void DagGraph::FailDependants(size_t first, std::vector<DagNode*>& failed) {
  for (size_t i = first; i < failed.size(); ++i) {
    DagNode& cause = *failed[i];
    for (DagNode* dependant : std::exchange(cause.dependants, {})) {
      if (dependant->state != DagNode::State::kWaiting) continue;
      Settle(*dependant, DagNode::State::kFailed);
      dependant->failure = cause.failure;
      dependant->failed_through = &cause;
      dependant->failed_depth = cause.failed_depth + 1;
      failed.push_back(dependant);
    }
  }
}

void DagGraph::Replace(DagNode& node, absl::StatusOr<DagValue> value) {
  GROVE_CHECK(node.settled(), "only what is there can be replaced");
  node.failed_through = nullptr;
  node.failed_depth = 0;
  if (value.ok()) {
    node.state = DagNode::State::kDone;
    node.value = *std::move(value);
    node.failure = nullptr;
  } else {
    node.state = DagNode::State::kFailed;
    node.value = nullptr;
    node.failure = std::make_shared<DagFailure>(DagFailure{value.status(), &node});
  }
}

void DagGraph::Forget(DagNode& node) {
  GROVE_CHECK(!node.settled(), "a settled node stays");
  for (DagNode* on : std::exchange(node.depends, {})) std::erase(on->dependants, &node);
  node.missing = 0;
  node.state = DagNode::State::kUnknown;
}

absl::Status DagGraph::FailureOf(const DagNode& node) {
  const DagFailure& failure = *node.failure;
  if (node.failed_through == nullptr) return failure.status;
  std::string text = absl::StrFormat("\"%s\" did not run: it needs ", node.key);
  const DagNode* at = node.failed_through;
  // A link replaced since then has a failure of its own, or none: the chain ends before it.
  for (size_t shown = 0; at != nullptr && at->failure == node.failure && at != failure.origin;
       at = at->failed_through) {
    if (++shown == kKeysShown) {
      text += absl::StrFormat("… %d more, the last of which needs ", at->failed_depth);
      break;
    }
    text += absl::StrFormat("\"%s\", which needs ", at->key);
  }
  text += absl::StrFormat("\"%s\", which failed: %s", failure.origin->key,
                          std::string(failure.status.message()));
  return absl::Status(failure.status.code(), text);
}

}  // namespace grove
