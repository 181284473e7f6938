// ControlLink: the worker's end of the conversation with control.
//
// Control connects to the slot's socket; the worker greets it with what runs, then sends what
// gathered once per hub turn. A new connection takes the place of an old one: control has
// restarted. Attempts go on whether or not anybody is connected.
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_CONTROL_LINK_H_
#define GROVE_SERVER_WORKER_CONTROL_LINK_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "runtime/offload/offload.h"
#include "server/worker/attempts.h"

namespace grove::worker {

// Requests for fiber lists that wait for their turn; control has fewer under way. Those beyond are
// dropped.
inline constexpr size_t kFiberRequestsMax = 256;

class ControlLink {
 public:
  // Says who the worker is. Stacks are put into words on `offload`. Everything must outlive it.
  ControlLink(int worker, const Attempts::Functions& functions, Attempts& attempts,
              OffloadPool& offload);
  ControlLink(const ControlLink&) = delete;
  ControlLink& operator=(const ControlLink&) = delete;

  // The body of a fiber: serves control after control until cancelled. **Parks.**
  absl::Status Run(Listener& listener);
  // Speaks with one control until either side ends. **Parks.**
  absl::Status Serve(Socket socket);

  // Tells control, now and in every later greeting.
  void AnnounceDrain();
  bool connected() const { return current_ != nullptr; }

 private:
  struct Session;

  internal::v1::WorkerFrame Greeting();
  absl::Status ReadFrames(Session& session);
  absl::Status WriteFrames(Session& session);
  // Answers requests for fiber lists, one after another: beside the writer, as one with stacks
  // takes its time. **Parks.**
  absl::Status AnswerLists(Session& session);
  void Obey(Session& session, internal::v1::ControlFrame& frame);
  bool Gather(Session& session, internal::v1::WorkerFrame& frame);

  const int worker_;
  const uint64_t incarnation_;
  const Attempts::Functions& functions_;
  Attempts& attempts_;
  OffloadPool& offload_;
  bool draining_ = false;
  Session* current_ = nullptr;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_CONTROL_LINK_H_
