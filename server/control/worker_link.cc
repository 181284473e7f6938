// What may go wrong, and what follows:
//
// * The worker dies. The kernel closes its socket: the reader comes to the end of the stream, after
//   everything that the worker managed to say, and the engine is told WorkerDown. Its attempts are
//   interrupted at once; nobody waits for a time-out.
// * Control dies. Workers go on; the next control connects and reads in Hello what runs.
// * The worker hangs or is stopped. Nothing ends: a link has no heartbeat, since a stuck hub is the
//   supervisor's to judge. What is to be sent gathers in the outbox; once that is full control
//   gives the link up. The process may live, so the engine is told WorkerUnlinked, and its attempts
//   wait for the next Hello or the end of the grace.
// * The slot's socket is there and nobody accepts: a successor is being forked. The connection
//   waits in the backlog, and Hello comes when the successor does.
//
// A frame that was handed to Send() may be lost with the link at any of these points. That is why
// Send() promises nothing, and Hello settles what became of each attempt (invariant 9).
#include "server/control/worker_link.h"

#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/arena.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "server/control/live_payloads.h"
#include "server/log.h"
#include "server/process/peer_credentials.h"

namespace grove::control {
namespace {

// The stream's end, as the kernel closes a dead process's sockets.
bool EndedByPeer(const absl::Status& status) {
  return absl::IsOutOfRange(status) || absl::IsUnavailable(status);
}

template <typename Replies, typename Queries>
void Settle(Replies& replies, Queries& queries) {
  for (auto& reply : replies) {
    auto found = queries.find(reply.request());
    if (found == queries.end()) continue;  // Given up meanwhile.
    using Reply = std::remove_reference_t<decltype(reply)>;
    found->second->reply = std::make_unique<Reply>(std::move(reply));
    found->second->done.Set();
    queries.erase(found);
  }
}

template <typename Queries>
void GiveUp(Queries& queries) {
  for (auto& [id, query] : queries) query->done.Set();
  queries.clear();
}

}  // namespace

WorkerLink::WorkerLink(int32_t worker, std::string path, EngineDriver& driver, InsideCalls& inside)
    : worker_(worker), path_(std::move(path)), driver_(driver), inside_(inside) {}

absl::Status WorkerLink::Run() {
  Backoff pauses = Backoff::Doubling(kReconnectMin, kReconnectMax);
  for (;;) {
    absl::StatusOr<Socket> socket = Connect();
    absl::Status ended = socket.ok() ? Serve(*std::move(socket), pauses) : socket.status();
    if (absl::IsCancelled(ended)) return ended;
    if (absl::Status slept = Sleep(pauses.Next()); !slept.ok()) return slept;
  }
}

absl::StatusOr<Socket> WorkerLink::Connect() {
  absl::StatusOr<Socket> socket = Socket::ConnectUnix(path_);
  if (!socket.ok()) return socket.status();
  // A path is only as good as who set it up: our own user must listen there.
  if (absl::Status checked = process::CheckPeer(*socket); !checked.ok()) {
    Log(LogLevel::kError, "link refused",
        {{"worker", worker_}, {"path", path_}, {"error", checked.message()}});
    return checked;
  }
  return socket;
}

absl::Status WorkerLink::Serve(Socket socket, Backoff& pauses) {
  link::Session session(std::move(socket));
  if (absl::Status hello = TakeHello(session); !hello.ok()) {
    if (!EndedByPeer(hello) && !absl::IsCancelled(hello)) {
      Log(LogLevel::kError, "link refused", {{"worker", worker_}, {"error", hello.message()}});
    }
    return hello;
  }
  pauses.Reset();
  absl::Status ended = session.Run([this](std::string_view bytes) { return TakeFrame(bytes); },
                                   [this] { return outbox_.Next(); });
  Unlink(ended);
  return ended;
}

absl::Status WorkerLink::TakeHello(link::Session& session) {
  absl::StatusOr<std::string> bytes = session.Read();
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
  internal::v1::Program program = std::move(*frame.mutable_hello()->mutable_program());
  frame.mutable_hello()->clear_program();
  absl::Status up = driver_.WorkerUp(std::move(*frame.mutable_hello()));
  if (!up.ok()) return up;
  if (on_program_) on_program_(worker_, &program);
  session_ = &session;
  linked_.Set();
  if (greeting_) Send(greeting_());
  driver_.FromWorker(worker_, frame);
  return absl::OkStatus();
}

absl::Status WorkerLink::TakeFrame(std::string_view bytes) {
  google::protobuf::Arena arena;
  auto& frame = *google::protobuf::Arena::CreateMessage<internal::v1::WorkerFrame>(&arena);
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("a frame that is not a WorkerFrame");
  }
  TakeReplies(frame);
  std::vector<std::string> outputs;
  // Ends that nobody hears any more are the successor's to take.
  if (payloads_ != nullptr && !driver_.handed_over()) outputs = payloads_->TakeOutputs(frame);
  driver_.FromWorker(worker_, frame);
  if (payloads_ != nullptr && !outputs.empty() && !driver_.handed_over())
    payloads_->DropUntaken(outputs);
  inside_.Take(worker_, frame);
  if (absl::Status status = driver_.AwaitDisk(); !status.ok()) return status;
  // A worker that always has more to say must not keep the hub from the others.
  Yield();
  return absl::OkStatus();
}

void WorkerLink::Send(internal::v1::ControlFrame frame) {
  if (session_ == nullptr || !session_->ended().ok()) return;
  if (absl::Status put = outbox_.Put(std::move(frame)); !put.ok()) session_->End(std::move(put));
}

template <typename Reply>
std::shared_ptr<LinkQuery<Reply>> WorkerLink::Begin(Queries<Reply>& queries) {
  if (!linked() || queries.size() >= kFiberQueriesMax) return nullptr;
  auto query = std::make_shared<LinkQuery<Reply>>();
  query->id = next_query_++;
  queries[query->id] = query;
  return query;
}

std::shared_ptr<FiberQuery> WorkerLink::QueryFibers(uint64_t after, int32_t limit, Stacks stacks) {
  auto query = Begin(queries_);
  if (query == nullptr) return nullptr;
  internal::v1::ControlFrame frame;
  internal::v1::ListFibers* request = frame.add_list_fibers();
  request->set_request(query->id);
  request->set_after(after);
  request->set_limit(limit);
  request->set_stacks(stacks == Stacks::kYes);
  Send(std::move(frame));
  return query;
}

std::shared_ptr<GreenQuery> WorkerLink::QueryGreenCalls(int32_t limit) {
  auto query = Begin(green_queries_);
  if (query == nullptr) return nullptr;
  internal::v1::ControlFrame frame;
  internal::v1::ListGreenCalls* request = frame.add_list_green_calls();
  request->set_request(query->id);
  request->set_limit(limit);
  Send(std::move(frame));
  return query;
}

std::shared_ptr<ValuesQuery> WorkerLink::QueryValues(internal::v1::ReadValues ask) {
  auto query = Begin(values_queries_);
  if (query == nullptr) return nullptr;
  ask.set_request(query->id);
  internal::v1::ControlFrame frame;
  *frame.add_read_values() = std::move(ask);
  Send(std::move(frame));
  return query;
}

std::shared_ptr<InjectQuery> WorkerLink::QueryInject(v1::InjectHttpRequestRequest http) {
  auto query = Begin(inject_queries_);
  if (query == nullptr) return nullptr;
  internal::v1::ControlFrame frame;
  internal::v1::Inject& inject = *frame.add_inject();
  inject.set_request(query->id);
  *inject.mutable_http() = std::move(http);
  Send(std::move(frame));
  return query;
}

void WorkerLink::TakeReplies(internal::v1::WorkerFrame& frame) {
  Settle(*frame.mutable_fibers(), queries_);
  Settle(*frame.mutable_green_calls(), green_queries_);
  Settle(*frame.mutable_values(), values_queries_);
  Settle(*frame.mutable_injected(), inject_queries_);
}

void WorkerLink::Unlink(const absl::Status& why) {
  const bool gave_up = !session_->ended().ok();
  linked_.Reset();
  session_ = nullptr;
  outbox_.Clear();
  GiveUp(queries_);
  GiveUp(green_queries_);
  GiveUp(values_queries_);
  GiveUp(inject_queries_);
  if (on_program_) on_program_(worker_, nullptr);
  inside_.LinkEnded(worker_);
  const bool down = !gave_up && EndedByPeer(why);
  if (down) {
    driver_.WorkerDown(worker_);
  } else {
    driver_.WorkerUnlinked(worker_);
  }
  const LogLevel level = down || absl::IsCancelled(why) ? LogLevel::kInfo : LogLevel::kError;
  Log(level, down ? "worker down" : "link ended", {{"worker", worker_}, {"why", why.message()}});
}

}  // namespace grove::control
