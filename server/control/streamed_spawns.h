// StreamedSpawns: what becomes of the messages of one client's stream of spawns.
//
// Takes them in their order on a fiber of its own, a slice of the hub's time at a time, and answers
// each once all it accepted is safe, in the same order. It does not wait for the disk between two
// messages, so that many share a commit. Knows nothing of gRPC. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_STREAMED_SPAWNS_H_
#define GROVE_SERVER_CONTROL_STREAMED_SPAWNS_H_

#include <cstdint>
#include <deque>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grove/v1/task_service.pb.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/sync/event.h"
#include "server/control/engine_driver.h"
#include "server/tenancy/principal.h"

namespace grove::control {

// An answer, and of what.
struct AnsweredSpawns {
  v1::SpawnTasksResponse response;
  std::string parent;
  int specs = 0;
  // The message's, as it came.
  int64_t bytes = 0;
  // Why nothing of it was looked at.
  absl::Status refused;
};

class StreamedSpawns {
 public:
  // Must not park.
  using Answer = absl::AnyInvocable<void(AnsweredSpawns answered)>;
  // Refuses a message as a whole, where nothing may be changed now.
  using Gate = absl::AnyInvocable<absl::Status()>;

  // `hub` and `driver` must outlive it.
  StreamedSpawns(Hub& hub, EngineDriver& driver, tenancy::PrincipalPtr caller, Gate gate,
                 Answer answer);
  ~StreamedSpawns();
  StreamedSpawns(const StreamedSpawns&) = delete;
  StreamedSpawns& operator=(const StreamedSpawns&) = delete;

  void Take(v1::SpawnTasksRequest request, int64_t bytes);
  // The body of its fiber: until cancelled, or after End(). **Parks.**
  void Run();
  // The engine's owner has carried out a round: answers what has become safe.
  void AfterRound();
  // Takes and answers nothing from now on. Run() returns soon.
  void End();
  // All that was taken is answered.
  bool idle() const { return taken_.empty() && answering_.empty(); }

 private:
  struct Taken {
    v1::SpawnTasksRequest request;
    int64_t bytes = 0;
  };
  struct Answering {
    AnsweredSpawns answered;
    // All of it has been looked at, and is safe once the disk has the write.
    bool complete = false;
    uint64_t ticket = 0;
    MonotonicNanos answer_by = 0;
  };
  struct DiskTimer : Timer {
    explicit DiskTimer(StreamedSpawns& owner) : Timer(&Expire), owner(owner) {}
    StreamedSpawns& owner;
  };
  static void Expire(Timer& timer);

  void Admit(Taken taken);
  // Why nothing of the message is looked at. Fills in the parent that it left out.
  absl::Status CheckMessage(v1::SpawnTasksRequest& request);
  void Fill(v1::TaskSpec spec, const std::string& parent, Answering& answering);
  // False: it has ended meanwhile. **Parks.**
  bool Pause();
  void AnswerFirst();

  Hub& hub_;
  EngineDriver& driver_;
  const tenancy::PrincipalPtr caller_;
  Gate gate_;
  Answer answer_;

  bool ended_ = false;
  Event arrived_;
  std::deque<Taken> taken_;
  // The last one may still be looked at. Addresses stay: a deque.
  std::deque<Answering> answering_;
  MonotonicNanos since_ = 0;
  // Of the first that is complete and not on disk.
  DiskTimer timer_{*this};
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_STREAMED_SPAWNS_H_
