// LinkedTaskClient: the worker's TaskClient, which asks control over the link.
//
// What fibers ask gathers until the link takes it, once per hub turn. A call is forgotten once it
// is answered or its fiber has given it up, not when it is sent: the next link, whose control may
// be another, is told all that are open once more. A spawn has a request_id in any case, made here
// if its caller has none, so that a control that has heard of it before makes no second task. Hub
// thread only.
#ifndef GROVE_SERVER_WORKER_LINKED_TASK_CLIENT_H_
#define GROVE_SERVER_WORKER_LINKED_TASK_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "grove/internal/v1/link.pb.h"
#include "runtime/sync/event.h"
#include "server/task_client.h"

namespace grove::worker {

// Of one frame; the rest waits for the next. One spawn may be larger.
inline constexpr int kInsidePerFrameMax = 512;
inline constexpr size_t kInsidePerFrameBytesMax = size_t{4} << 20;

class LinkedTaskClient final : public TaskClient {
 public:
  LinkedTaskClient() = default;
  // Requires: no call is open.
  ~LinkedTaskClient() override;

  // --- Fibers -----------------------------------------------------------------------------------

  absl::StatusOr<std::string> Spawn(SpawnRequest request) override;
  std::vector<absl::StatusOr<std::string>> SpawnAll(std::vector<SpawnRequest> requests) override;
  absl::StatusOr<TaskResult> Wait(std::string_view task, absl::Duration timeout) override;

  // --- The link ---------------------------------------------------------------------------------

  // Before the first call. `incarnation`: as in Hello. `news` is set whenever there is something to
  // take, and must outlive it.
  void Attach(uint64_t incarnation, Event& news);
  // There is a new one: everything is to be asked over it. It has not heard of what was given up.
  void LinkUp();
  void LinkDown() { linked_ = false; }
  // Moves what has gathered into `frame`; false if nothing has.
  bool TakeNews(internal::v1::WorkerFrame& frame);
  // Whether TakeNews() has left some.
  bool has_news() const { return !unsent_.empty() || !forgotten_.empty(); }
  void TakeAnswers(internal::v1::ControlFrame& frame);

  size_t open_calls() const { return calls_.size(); }

 private:
  struct Call;
  struct Turn;

  // Takes it up, or says why not.
  absl::Status Open(Call& call, size_t bytes);
  void Close(Call& call);
  Call* Find(uint64_t id) const;
  // Spawns those from `next` on that go together, and moves it behind them. **Parks.**
  void SpawnSome(std::vector<SpawnRequest>& requests, size_t& next,
                 std::vector<absl::StatusOr<std::string>>& results);
  // Of a call whose park ended before it was answered. `over`: its own time was.
  absl::Status SpawnUnanswered(const absl::Status& woken, bool over) const;
  absl::Status WaitUnanswered(const absl::Status& woken) const;

  uint64_t incarnation_ = 0;
  Event* news_ = nullptr;
  bool linked_ = false;
  uint64_t next_id_ = 1;
  size_t bytes_ = 0;
  // By id: asked again in the order in which they were first.
  std::map<uint64_t, Call*> calls_;
  // Ids, since a call may be given up before it is sent.
  std::deque<uint64_t> unsent_;
  std::vector<uint64_t> forgotten_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_LINKED_TASK_CLIENT_H_
