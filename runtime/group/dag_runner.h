// DagRunner: runs the nodes of a DagGraph on fibers. The part of DagPool that knows no type.
//
// Shared between a pool, its iterators and its fibers: each may be the last to go. Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_DAG_RUNNER_H_
#define GROVE_RUNTIME_GROUP_DAG_RUNNER_H_

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/group/dag_graph.h"
#include "runtime/sync/event.h"

namespace grove {

struct DagOptions {
  // Fibers at once; a ready node beyond them waits its turn, first ready, first started.
  size_t running_max = 1000;
  // Keys that are spawned, posted or depended upon.
  size_t nodes_max = 100'000;
};

enum class DagPosting : uint8_t { kNew, kReplace };
enum class DagFilter : uint8_t { kAll, kSuccesses, kFailures };

class DagRunner : public std::enable_shared_from_this<DagRunner> {
 public:
  // The keys of a wait, in order of completion.
  class Completions {
   public:
    Completions(std::shared_ptr<DagRunner> runner, const std::vector<DagNode*>& nodes);
    ~Completions();
    Completions(const Completions&) = delete;
    Completions& operator=(const Completions&) = delete;

    // The next that is settled; null after the last. kDeadlineExceeded, kCancelled: the caller's
    // own, no node was lost. **Parks.**
    absl::StatusOr<DagNode*> Next();
    // `node` has been settled; no effect if it is not one of them.
    void Add(DagNode& node);

   private:
    const std::shared_ptr<DagRunner> runner_;
    std::vector<const DagNode*> awaited_;  // not settled yet, by address
    std::deque<DagNode*> settled_;
    Event changed_;
  };

  explicit DagRunner(const DagOptions& options) : options_(options), graph_(options.nodes_max) {}
  DagRunner(const DagRunner&) = delete;
  DagRunner& operator=(const DagRunner&) = delete;

  absl::Status Spawn(std::string_view key, const std::vector<std::string>& depends,
                     DagNode::Body body);
  absl::Status Post(std::string_view key, absl::StatusOr<DagValue> value, DagPosting posting);
  absl::Status Kill(std::string_view key);
  // Fails what is not settled and cancels what runs.
  void Cancel();
  // Until no fiber is left, whatever happens to the caller. kFailedPrecondition from one of them.
  // **Parks.**
  absl::Status JoinFibers();

  // Settled, unless the caller's own time-out or cancellation is returned. **Parks.**
  absl::Status Wait(DagNode& node);
  // Makes those that are not known yet.
  absl::StatusOr<std::vector<DagNode*>> Find(const std::vector<std::string>& keys);
  // All that are spawned or posted.
  std::vector<DagNode*> Known();

  DagGraph& graph() { return graph_; }
  // Fibers, those of killed nodes included until they have ended.
  size_t running() const { return fibers_.size(); }

 private:
  class Run;

  void StartReady();
  absl::Status Start(DagNode& node);
  void Finish(DagNode& node, uint64_t run, absl::StatusOr<DagValue> result);
  // Tells who waits, and starts what became ready.
  void Announce(const std::vector<DagNode*>& settled);
  void Settle(DagNode& node, absl::StatusOr<DagValue> result);

  const DagOptions options_;
  DagGraph graph_;
  bool cancelled_ = false;
  bool starting_ = false;
  uint64_t runs_ = 0;
  std::unordered_set<const Fiber*> fibers_;
  std::deque<DagNode*> ready_;
  std::vector<Completions*> completions_;
  WaitList all_ended_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_DAG_RUNNER_H_
