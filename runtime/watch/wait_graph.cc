#include "runtime/watch/wait_graph.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"

namespace grove {
namespace {

constexpr uint32_t kNone = UINT32_MAX;
// Of one wait; the rest is left out, which may hide a cycle and never makes one up.
constexpr size_t kHoldersMax = 1000;

// Gives others their turn after every kWaitGraphSlice steps.
class Slices {
 public:
  explicit Slices(Hub& hub) : hub_(hub) {}
  void Step(size_t steps = 1) {
    if ((steps_ += steps) < kWaitGraphSlice) return;
    steps_ = 0;
    hub_.Yield();
  }

 private:
  Hub& hub_;
  size_t steps_ = 0;
};

struct Holders {
  WaitNeeds needs = WaitNeeds::kUnknown;
  std::vector<FiberId> ids;
};

// Requires: parked, with holders.
Holders HoldersNow(const Fiber& fiber) {
  const WaitFor& wait = fiber.waiting_for();
  Holders now;
  now.needs = wait.holders(wait.object, [&now](FiberId id) {
    if (now.ids.size() < kHoldersMax) now.ids.push_back(id);
  });
  return now;
}

// A fiber as it was when its slice was read. The handle keeps it from being freed, no more.
struct Node {
  FiberHandle fiber;
  uint64_t switches;
  bool bounded;
  WaitNeeds needs;
  std::vector<FiberId> holders;
  std::vector<uint32_t> needed_by;  // nodes that name this one
  // Of one pass:
  bool stuck = false;
  size_t stuck_holders = 0;
  uint32_t next = kNone;  // a stuck holder
  uint32_t walk = kNone;  // the node from which a walk along `next` came here first
};

class WaitGraph {
 public:
  explicit WaitGraph(Hub& hub) : hub_(hub), slices_(hub) {}

  void Read();
  // Appends the cycles among the fibers whose wait nothing bounds, or those that need a bounded
  // one.
  enum class Pass { kDeadlocks, kBounded };
  void Collect(Pass pass, std::vector<WaitCycle>& cycles);

 private:
  void Add(const Fiber& fiber);
  void FindStuck(Pass pass);
  void Release(std::vector<uint32_t> free);
  std::optional<std::vector<uint32_t>> CycleFrom(uint32_t start);
  std::optional<WaitCycle> Confirm(const std::vector<uint32_t>& cycle) const;
  bool StillWaits(const Node& node, const absl::flat_hash_set<FiberId>& proof) const;
  uint32_t IndexOf(FiberId id) const {
    const auto at = index_.find(id);
    return at != index_.end() ? at->second : kNone;
  }

  Hub& hub_;
  Slices slices_;
  std::vector<Node> nodes_;
  absl::flat_hash_map<FiberId, uint32_t> index_;
};

void WaitGraph::Add(const Fiber& fiber) {
  if (fiber.state() != Fiber::State::kParked || fiber.waiting_for().holders == nullptr) return;
  Holders now = HoldersNow(fiber);
  if (now.needs == WaitNeeds::kUnknown || now.ids.empty()) return;
  // Visitors see fibers as const; to hold one changes its count of references alone.
  Node node{.fiber = FiberHandle(const_cast<Fiber*>(&fiber)),
            .switches = fiber.switches(),
            .bounded = fiber.wait_is_bounded(),
            .needs = now.needs,
            .holders = std::move(now.ids),
            .needed_by = {}};
  // Its id is new unless it was parked in an earlier slice: nobody is seen twice.
  index_.emplace(fiber.id(), static_cast<uint32_t>(nodes_.size()));
  nodes_.push_back(std::move(node));
}

void WaitGraph::Read() {
  size_t cursor = 0;
  do {
    cursor = hub_.VisitFibers(cursor, kWaitGraphSlice, [this](const Fiber& each) { Add(each); });
    if (cursor != 0) hub_.Yield();
  } while (cursor != 0);
  for (uint32_t at = 0; at < nodes_.size(); ++at) {
    for (const FiberId id : nodes_[at].holders) {
      const uint32_t holder = IndexOf(id);
      if (holder != kNone) nodes_[holder].needed_by.push_back(at);
    }
    slices_.Step(nodes_[at].holders.size());
  }
}

// Starts from all, and takes out those that somebody could let go on, until none is left to take.
void WaitGraph::FindStuck(Pass pass) {
  for (Node& node : nodes_) {
    node.stuck = pass == Pass::kBounded || !node.bounded;
    node.stuck_holders = 0;
    node.next = node.walk = kNone;
    slices_.Step();
  }
  for (Node& node : nodes_) {
    for (const FiberId id : node.holders) {
      const uint32_t holder = IndexOf(id);
      if (holder != kNone && nodes_[holder].stuck) ++node.stuck_holders;
    }
    slices_.Step(node.holders.size());
  }
  std::vector<uint32_t> free;
  for (uint32_t at = 0; at < nodes_.size(); ++at) {
    Node& node = nodes_[at];
    const size_t enough = node.needs == WaitNeeds::kAll ? 1 : node.holders.size();
    slices_.Step();
    if (!node.stuck || node.stuck_holders >= enough) continue;
    node.stuck = false;
    free.push_back(at);
  }
  Release(std::move(free));
  for (Node& node : nodes_) {
    for (const FiberId id : node.holders) {
      const uint32_t holder = IndexOf(id);
      if (node.stuck && node.next == kNone && holder != kNone && nodes_[holder].stuck) {
        node.next = holder;
      }
    }
    slices_.Step(node.holders.size());
  }
}

void WaitGraph::Release(std::vector<uint32_t> free) {
  while (!free.empty()) {
    const uint32_t at = free.back();
    free.pop_back();
    for (const uint32_t waiting : nodes_[at].needed_by) {
      Node& node = nodes_[waiting];
      --node.stuck_holders;
      const size_t enough = node.needs == WaitNeeds::kAll ? 1 : node.holders.size();
      if (!node.stuck || node.stuck_holders >= enough) continue;
      node.stuck = false;
      free.push_back(waiting);
    }
    slices_.Step(nodes_[at].needed_by.size() + 1);
  }
}

// The cycle that the walk along `next` runs into, unless an earlier walk has been there.
std::optional<std::vector<uint32_t>> WaitGraph::CycleFrom(uint32_t start) {
  uint32_t at = start;
  for (; nodes_[at].stuck && nodes_[at].walk == kNone; at = nodes_[at].next) {
    nodes_[at].walk = start;
    slices_.Step();
  }
  if (!nodes_[at].stuck || nodes_[at].walk != start) return std::nullopt;
  std::vector<uint32_t> cycle = {at};
  for (uint32_t next = nodes_[at].next; next != at; next = nodes_[next].next) {
    if (cycle.size() >= kWaitCycleFibersMax) return std::nullopt;
    cycle.push_back(next);
  }
  return cycle;
}

bool WaitGraph::StillWaits(const Node& node, const absl::flat_hash_set<FiberId>& proof) const {
  const Fiber& fiber = *node.fiber;
  // Not having run since, it is in the same wait.
  if (fiber.state() != Fiber::State::kParked || fiber.switches() != node.switches) return false;
  const Holders now = HoldersNow(fiber);
  const auto in_proof = [&proof](FiberId id) { return proof.contains(id); };
  if (now.needs != node.needs || now.ids.empty()) return false;
  return now.needs == WaitNeeds::kAll ? std::any_of(now.ids.begin(), now.ids.end(), in_proof)
                                      : std::all_of(now.ids.begin(), now.ids.end(), in_proof);
}

// Looks again, in one piece, at all waits that make it a cycle: its own, and those of every other
// holder where any would do.
std::optional<WaitCycle> WaitGraph::Confirm(const std::vector<uint32_t>& cycle) const {
  std::vector<uint32_t> todo = cycle;
  absl::flat_hash_set<FiberId> proof;
  for (const uint32_t at : cycle) proof.insert(nodes_[at].fiber->id());
  for (size_t i = 0; i < todo.size(); ++i) {
    const Node& node = nodes_[todo[i]];
    const auto add = [&](uint32_t at) {
      if (proof.insert(nodes_[at].fiber->id()).second) todo.push_back(at);
    };
    if (node.needs == WaitNeeds::kAll) {
      add(node.next);
    } else {
      for (const FiberId id : node.holders) add(IndexOf(id));
    }
    if (todo.size() > kWaitCycleFibersMax) return std::nullopt;
  }
  for (const uint32_t at : todo) {
    if (!StillWaits(nodes_[at], proof)) return std::nullopt;
  }
  WaitCycle found;
  for (const uint32_t at : cycle) {
    const Fiber& fiber = *nodes_[at].fiber;
    found.fibers.push_back({.id = fiber.id(),
                            .name = std::string(fiber.name()),
                            .spawn_site = fiber.spawn_site(),
                            .kind = fiber.waiting_for().kind,
                            .waits_for = WaitForText(fiber.waiting_for()),
                            .bounded = fiber.wait_is_bounded()});
  }
  return found;
}

void WaitGraph::Collect(Pass pass, std::vector<WaitCycle>& cycles) {
  FindStuck(pass);
  for (uint32_t at = 0; at < nodes_.size() && cycles.size() < kWaitCyclesMax; ++at) {
    slices_.Step();
    const std::optional<std::vector<uint32_t>> cycle = CycleFrom(at);
    if (!cycle.has_value()) continue;
    std::optional<WaitCycle> found = Confirm(*cycle);
    if (!found.has_value() || found->deadlock() != (pass == Pass::kDeadlocks)) continue;
    cycles.push_back(*std::move(found));
  }
}

std::string FiberText(const WaitingFiber& fiber) {
  return absl::StrFormat("fiber %d \"%s\"", fiber.id, fiber.name);
}

// How `next` stands in the way of a fiber that waits so.
std::string ObstacleText(const WaitingFiber& fiber, const WaitingFiber& next) {
  switch (fiber.kind) {
    case WaitFor::Kind::kJoin:
      return absl::StrFormat("the end of %s", FiberText(next));
    case WaitFor::Kind::kPool:
    case WaitFor::Kind::kGroup:
      return absl::StrFormat("%s, to which belongs %s", fiber.waits_for, FiberText(next));
    default:
      return absl::StrFormat("%s held by %s", fiber.waits_for, FiberText(next));
  }
}

}  // namespace

bool WaitCycle::deadlock() const {
  return std::none_of(fibers.begin(), fibers.end(),
                      [](const WaitingFiber& fiber) { return fiber.bounded; });
}

std::vector<WaitCycle> FindCycles(Hub& hub) {
  WaitGraph graph(hub);
  graph.Read();
  std::vector<WaitCycle> cycles;
  graph.Collect(WaitGraph::Pass::kDeadlocks, cycles);
  graph.Collect(WaitGraph::Pass::kBounded, cycles);
  return cycles;
}

std::string ToString(const WaitCycle& cycle) {
  std::string text = cycle.deadlock() ? "deadlock: " : "bounded wait: ";
  for (size_t at = 0; at < cycle.fibers.size(); ++at) {
    const WaitingFiber& fiber = cycle.fibers[at];
    const WaitingFiber& next = cycle.fibers[(at + 1) % cycle.fibers.size()];
    absl::StrAppendFormat(&text, "%s%s (%s:%d) waits for %s%s", at == 0 ? "" : "; ",
                          FiberText(fiber), fiber.spawn_site.file_name(), fiber.spawn_site.line(),
                          ObstacleText(fiber, next),
                          fiber.bounded ? " until a Timeout ends the wait" : "");
  }
  return text;
}

std::string ToString(const std::vector<WaitCycle>& cycles) {
  std::string text;
  for (const WaitCycle& cycle : cycles) text += ToString(cycle) + "\n";
  return text;
}

}  // namespace grove
