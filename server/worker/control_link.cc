#include "server/worker/control_link.h"

#include <unistd.h>

#include <random>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/sync/queue.h"
#include "server/link/frame.h"
#include "server/log.h"
#include "server/process/peer_credentials.h"
#include "server/worker/fiber_list.h"

namespace grove::worker {
namespace {

// After an accept that failed for want of descriptors or memory.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

// Unique per process, also across restarts of the machine's pids.
uint64_t NewIncarnation() {
  std::random_device random;
  return (static_cast<uint64_t>(random()) << 32 | random()) ^
         static_cast<uint64_t>(absl::ToUnixNanos(absl::Now()));
}

}  // namespace

struct ControlLink::Session {
  Socket socket;
  Queue<internal::v1::ListFibers> list_requests{kFiberRequestsMax};
  std::vector<internal::v1::ListFibersReply> lists;
  bool drain_told = false;
};

ControlLink::ControlLink(int worker, const Attempts::Functions& functions, Attempts& attempts,
                         OffloadPool& offload)
    : worker_(worker),
      incarnation_(NewIncarnation()),
      functions_(functions),
      attempts_(attempts),
      offload_(offload) {}

absl::Status ControlLink::Run(Listener& listener) {
  for (;;) {
    absl::StatusOr<Socket> socket = listener.Accept();
    if (absl::IsResourceExhausted(socket.status())) {
      if (absl::Status status = Sleep(kAcceptPause); !status.ok()) return status;
      continue;
    }
    if (!socket.ok()) return socket.status();
    if (absl::Status status = process::CheckPeer(*socket); !status.ok()) {
      Log(LogLevel::kWarning, "refused a connection to the link", {{"error", status.message()}});
      continue;
    }
    if (current_ != nullptr) current_->socket.Close();
    auto fiber = Spawn("link", [this, socket = *std::move(socket)]() mutable {
      const absl::Status status = Serve(std::move(socket));
      if (status.ok() || absl::IsCancelled(status) || absl::IsAborted(status)) return;
      Log(LogLevel::kWarning, "the link to control broke", {{"error", status.message()}});
    });
    if (!fiber.ok()) return fiber.status();
  }
}

absl::Status ControlLink::Serve(Socket socket) {
  Session session{.socket = std::move(socket)};
  current_ = &session;
  absl::Status status = link::WriteFrame(session.socket, Greeting().SerializeAsString());
  if (status.ok()) {
    // They use the session on this stack, so even a cancelled fiber waits for them.
    FiberGroup group(FiberGroup::OnFailure::kLetRestRun, "link");
    status = group.Spawn("link.write", [&] { return WriteFrames(session); }).status();
    if (status.ok()) {
      status = group.Spawn("link.lists", [&] { return AnswerLists(session); }).status();
    }
    if (status.ok()) status = ReadFrames(session);
    group.Cancel();
    session.socket.Close();
    group.Join().IgnoreError();
  }
  if (current_ == &session) current_ = nullptr;
  return status;
}

internal::v1::WorkerFrame ControlLink::Greeting() {
  internal::v1::WorkerFrame frame;
  internal::v1::Hello& hello = *frame.mutable_hello();
  hello.set_worker(worker_);
  hello.set_pid(getpid());
  hello.set_incarnation(incarnation_);
  for (const auto& [name, entry] : functions_) {
    internal::v1::FunctionDescription& function = *hello.add_functions();
    function.set_name(name);
    function.set_description(entry.options.description);
    function.set_input_example(entry.options.input_example);
    function.set_default_timeout_ms(absl::ToInt64Milliseconds(entry.options.default_timeout));
  }
  attempts_.FillHello(hello);
  frame.set_draining(draining_);
  return frame;
}

absl::Status ControlLink::ReadFrames(Session& session) {
  for (;;) {
    absl::StatusOr<std::string> bytes = link::ReadFrame(session.socket);
    if (absl::IsOutOfRange(bytes.status())) return absl::OkStatus();
    if (!bytes.ok()) return bytes.status();
    internal::v1::ControlFrame frame;
    if (!frame.ParseFromString(*bytes)) {
      return absl::InvalidArgumentError("a frame of control's is malformed");
    }
    Obey(session, frame);
  }
}

void ControlLink::Obey(Session& session, internal::v1::ControlFrame& frame) {
  for (const uint64_t attempt : frame.acknowledged()) attempts_.Acknowledge(attempt);
  for (internal::v1::StartAttempt& start : *frame.mutable_start()) {
    attempts_.Start(std::move(start));
  }
  for (const internal::v1::CancelAttempt& cancel : frame.cancel()) attempts_.Cancel(cancel);
  for (internal::v1::ListFibers& request : *frame.mutable_list_fibers()) {
    session.list_requests.TryPut(std::move(request));
  }
}

absl::Status ControlLink::WriteFrames(Session& session) {
  for (;;) {
    if (absl::Status status = attempts_.news().Wait(); !status.ok()) return status;
    // To the end of the run queue: what other fibers say in this turn goes into the same frame.
    Yield();
    if (current_ != &session) return absl::AbortedError("another control has connected");
    internal::v1::WorkerFrame frame;
    if (!Gather(session, frame)) continue;
    absl::Status status = link::WriteFrame(session.socket, frame.SerializeAsString());
    if (!status.ok()) return status;
  }
}

absl::Status ControlLink::AnswerLists(Session& session) {
  for (;;) {
    absl::StatusOr<internal::v1::ListFibers> request = session.list_requests.Get();
    if (!request.ok()) return request.status();
    // Get() doesn't park for what is there, and so doesn't hear that the session is over.
    if (!session.socket.open()) return absl::AbortedError("the session is over");
    session.lists.push_back(ListFibers(*request, offload_));
    attempts_.news().Set();
  }
}

bool ControlLink::Gather(Session& session, internal::v1::WorkerFrame& frame) {
  bool any = attempts_.TakeNews(frame);
  for (internal::v1::ListFibersReply& list : std::exchange(session.lists, {})) {
    *frame.add_fibers() = std::move(list);
    any = true;
  }
  if (draining_ && !session.drain_told) {
    session.drain_told = true;
    frame.set_draining(true);
    any = true;
  }
  return any;
}

void ControlLink::AnnounceDrain() {
  draining_ = true;
  attempts_.news().Set();
}

}  // namespace grove::worker
