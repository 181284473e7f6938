// WorkerLinks: control's links to the workers, as many as there are at a time.
//
// A slot gets a link when the scoreboard shows its first worker, and loses it when that is scaled
// away; a worker that dies keeps it for its successor. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_WORKER_LINKS_H_
#define GROVE_SERVER_CONTROL_WORKER_LINKS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "runtime/hub/fiber.h"
#include "server/control/engine_driver.h"
#include "server/control/worker_link.h"
#include "server/metrics/scoreboard.h"

namespace grove::control {

class WorkerLinks {
 public:
  // The link of worker N is RUN_DIR/worker-N.link. All others must outlive it, and it must outlive
  // the hub's Run().
  WorkerLinks(std::string run_dir, const metrics::Scoreboard& scoreboard, EngineDriver& driver,
              InsideCalls& inside);

  // Of links that are made from now on.
  void set_greeting(std::function<internal::v1::ControlFrame()> greeting) {
    greeting_ = std::move(greeting);
  }

  // As of WorkerLink.
  void set_on_program(WorkerLink::OnProgram on_program) { on_program_ = std::move(on_program); }
  void set_payloads(LivePayloads* payloads) { payloads_ = payloads; }

  // Makes the links that are missing, and ends those of slots that have no worker any more. An
  // error: there is no fiber for one; to be tried again. **Parks.**
  absl::Status Follow();

  // Null: the slot has no worker, and no link.
  WorkerLink* Find(int worker) const;
  bool linked(int worker) const;
  bool AnyLinked() const;
  // By slot of the scoreboard.
  std::vector<bool> Linked() const;
  // Whether a worker has said something that was not read yet.
  bool AnyUnread() const;
  // Dropped where there is no link.
  void Send(int worker, internal::v1::ControlFrame frame);
  void SendToAll(const internal::v1::ControlFrame& frame);
  // Until all are linked. **Parks.**
  absl::Status AwaitLinked() const;
  // As WorkerLink::AwaitWritten, of all. **Parks.**
  absl::Status AwaitWritten() const;

 private:
  struct Slot {
    std::unique_ptr<WorkerLink> link;
    // Runs the link while the slot has a worker.
    FiberHandle fiber;
  };

  const std::string run_dir_;
  const metrics::Scoreboard& scoreboard_;
  EngineDriver& driver_;
  InsideCalls& inside_;
  std::function<internal::v1::ControlFrame()> greeting_;
  WorkerLink::OnProgram on_program_;
  LivePayloads* payloads_ = nullptr;
  std::vector<Slot> slots_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_WORKER_LINKS_H_
