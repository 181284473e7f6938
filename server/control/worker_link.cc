#include "server/control/worker_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "server/link/frame.h"
#include "server/log.h"
#include "server/process/peer_credentials.h"

namespace grove::control {
namespace {

// The stream's end, as the kernel closes a dead process's sockets.
bool EndedByPeer(const absl::Status& status) {
  return absl::IsOutOfRange(status) || absl::IsUnavailable(status);
}

}  // namespace

WorkerLink::WorkerLink(int32_t worker, std::string path, EngineDriver& driver)
    : worker_(worker), path_(std::move(path)), driver_(driver) {}

absl::Status WorkerLink::Run() {
  absl::Duration backoff = kReconnectMin;
  for (;;) {
    bool spoke = false;
    absl::StatusOr<Socket> socket = Connect();
    absl::Status ended = socket.ok() ? Serve(*socket, &spoke) : socket.status();
    if (absl::IsCancelled(ended)) return ended;
    backoff = spoke ? kReconnectMin : std::min(2 * backoff, kReconnectMax);
    if (absl::Status slept = Sleep(backoff); !slept.ok()) return slept;
  }
}

absl::StatusOr<Socket> WorkerLink::Connect() {
  absl::StatusOr<Socket> socket = Socket::ConnectUnix(path_);
  if (!socket.ok()) return socket.status();
  // The run directory is 0700, but a path is only as good as who set it up: the listener must have
  // been made by our own user.
  if (absl::Status checked = process::CheckPeer(*socket); !checked.ok()) {
    Log(LogLevel::kError, "link refused",
        {{"worker", worker_}, {"path", path_}, {"error", checked.message()}});
    return checked;
  }
  return socket;
}

absl::Status WorkerLink::Serve(Socket& socket, bool* spoke) {
  if (absl::Status hello = TakeHello(socket); !hello.ok()) {
    if (!EndedByPeer(hello) && !absl::IsCancelled(hello)) {
      Log(LogLevel::kError, "link refused", {{"worker", worker_}, {"error", hello.message()}});
    }
    return hello;
  }
  *spoke = true;
  absl::StatusOr<FiberHandle> writer = Spawn("link-writer", [&] { WriteFrames(socket); });
  absl::Status ended = writer.ok() ? ReadFrames(socket) : writer.status();
  if (!gave_up_.ok() && !absl::IsCancelled(ended)) ended = gave_up_;
  Unlink(ended);
  socket.Close();
  if (writer.ok()) {
    writer->Cancel();
    // Not Join(): it would return at once if this fiber is being cancelled itself, and the writer
    // must not outlive the socket.
    while (!writer->ended()) Yield();
  }
  return ended;
}

absl::Status WorkerLink::TakeHello(Socket& socket) {
  absl::StatusOr<std::string> bytes = link::ReadFrame(socket);
  if (!bytes.ok()) return bytes.status();
  internal::v1::WorkerFrame frame;
  if (!frame.ParseFromString(*bytes) || !frame.has_hello()) {
    return absl::InvalidArgumentError("the first frame is not a Hello");
  }
  if (frame.hello().worker() != worker_) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker ", frame.hello().worker(), " answers on the socket of ", worker_));
  }
  Log(LogLevel::kInfo, "worker linked",
      {{"worker", worker_},
       {"pid", frame.hello().pid()},
       {"running", frame.hello().running_size()}});
  absl::Status up = driver_.WorkerUp(std::move(*frame.mutable_hello()));
  if (!up.ok()) return up;
  linked_ = true;
  gave_up_ = absl::OkStatus();
  socket_ = &socket;
  driver_.FromWorker(worker_, frame);
  return absl::OkStatus();
}

absl::Status WorkerLink::ReadFrames(Socket& socket) {
  for (;;) {
    absl::StatusOr<std::string> bytes = link::ReadFrame(socket);
    if (!bytes.ok()) return bytes.status();
    internal::v1::WorkerFrame frame;
    if (!frame.ParseFromString(*bytes)) {
      return absl::InvalidArgumentError("a frame that is not a WorkerFrame");
    }
    TakeReplies(frame);
    driver_.FromWorker(worker_, frame);
    // A worker that always has more to say must not keep the hub from the others.
    Yield();
  }
}

void WorkerLink::WriteFrames(Socket& socket) {
  for (;;) {
    if (!has_outgoing_.Wait().ok()) return;
    has_outgoing_.Reset();
    while (!outgoing_.empty()) {
      const internal::v1::ControlFrame frame = std::move(outgoing_.front());
      outgoing_.pop_front();
      const std::string bytes = frame.SerializeAsString();
      // A write that fails means that the stream is gone: the reader sees it too and acts.
      if (!link::WriteFrame(socket, bytes).ok()) return;
      backlog_bytes_ -= std::min(backlog_bytes_, bytes.size());
    }
  }
}

void WorkerLink::Send(internal::v1::ControlFrame frame) {
  if (!linked_ || !gave_up_.ok()) return;
  const size_t bytes = frame.ByteSizeLong();
  if (backlog_bytes_ + bytes > kLinkBacklogBytesMax) {
    GiveUp(absl::ResourceExhaustedError(
        absl::StrCat("the worker takes nothing: ", backlog_bytes_, " bytes wait")));
    return;
  }
  backlog_bytes_ += bytes;
  if (!outgoing_.empty() && last_frame_bytes_ + bytes <= tasks::kFrameInputBytesMax) {
    outgoing_.back().MergeFrom(frame);
    last_frame_bytes_ += bytes;
  } else {
    outgoing_.push_back(std::move(frame));
    last_frame_bytes_ = bytes;
  }
  has_outgoing_.Set();
}

std::shared_ptr<FiberQuery> WorkerLink::QueryFibers(uint64_t after, int32_t limit, Stacks stacks) {
  if (!linked_ || queries_.size() >= kFiberQueriesMax) return nullptr;
  auto query = std::make_shared<FiberQuery>();
  query->id = next_query_++;
  queries_[query->id] = query;
  internal::v1::ControlFrame frame;
  internal::v1::ListFibers* request = frame.add_list_fibers();
  request->set_request(query->id);
  request->set_after(after);
  request->set_limit(limit);
  request->set_stacks(stacks == Stacks::kYes);
  Send(std::move(frame));
  return query;
}

void WorkerLink::TakeReplies(internal::v1::WorkerFrame& frame) {
  for (internal::v1::ListFibersReply& reply : *frame.mutable_fibers()) {
    auto found = queries_.find(reply.request());
    if (found == queries_.end()) continue;  // Given up meanwhile.
    found->second->reply = std::make_unique<internal::v1::ListFibersReply>(std::move(reply));
    found->second->done.Set();
    queries_.erase(found);
  }
}

void WorkerLink::GiveUp(absl::Status why) {
  gave_up_ = std::move(why);
  // Wakes the reader, which ends the link.
  if (socket_ != nullptr) shutdown(socket_->fd(), SHUT_RDWR);
}

void WorkerLink::Unlink(const absl::Status& why) {
  linked_ = false;
  socket_ = nullptr;
  outgoing_.clear();
  backlog_bytes_ = last_frame_bytes_ = 0;
  for (auto& [id, query] : queries_) query->done.Set();
  queries_.clear();
  const bool down = gave_up_.ok() && EndedByPeer(why);
  if (down) {
    driver_.WorkerDown(worker_);
  } else {
    driver_.WorkerUnlinked(worker_);
  }
  const LogLevel level = down || absl::IsCancelled(why) ? LogLevel::kInfo : LogLevel::kError;
  Log(level, down ? "worker down" : "link ended", {{"worker", worker_}, {"why", why.message()}});
}

}  // namespace grove::control
