// WorkerLink: control's end of the conversation with one worker slot.
//
// Its fiber connects to the slot's socket, which outlives the worker, and reconnects for ever. What
// the worker says goes to the driver; what is to be sent gathers and goes out once per hub
// turn. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_WORKER_LINK_H_
#define GROVE_SERVER_CONTROL_WORKER_LINK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/io/socket.h"
#include "runtime/repeat/backoff.h"
#include "runtime/sync/event.h"
#include "server/control/engine_driver.h"
#include "server/control/inside_calls.h"
#include "server/control/outbox.h"
#include "server/link/session.h"

namespace grove::control {

// Between attempts to connect: doubles from the first to the second.
inline constexpr absl::Duration kReconnectMin = absl::Milliseconds(10);
inline constexpr absl::Duration kReconnectMax = absl::Seconds(1);
// A worker that takes no bytes while that much gathered is not served any more; its attempts come
// back when it speaks again, or go elsewhere when it dies.
inline constexpr size_t kLinkBacklogBytesMax = size_t{512} << 20;
// Most requests for lists of one kind under way per link.
inline constexpr size_t kFiberQueriesMax = 64;

// A request for a list under way. `reply` is null after `done` if the link broke.
template <typename Reply>
struct LinkQuery {
  uint64_t id = 0;
  Event done;
  std::unique_ptr<Reply> reply;
};
using FiberQuery = LinkQuery<internal::v1::ListFibersReply>;
using GreenQuery = LinkQuery<internal::v1::ListGreenCallsReply>;
using ValuesQuery = LinkQuery<internal::v1::ReadValuesReply>;
using InjectQuery = LinkQuery<internal::v1::InjectReply>;

class LivePayloads;

class WorkerLink {
 public:
  // Both must outlive it.
  WorkerLink(int32_t worker, std::string path, EngineDriver& driver, InsideCalls& inside);
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  // What each worker is told first of all, of which there is nothing else; without it: nothing.
  void set_greeting(std::function<internal::v1::ControlFrame()> greeting) {
    greeting_ = std::move(greeting);
  }
  // Told whose code runs in the worker, whenever there is a link, and (null) that there is none.
  using OnProgram = std::function<void(int32_t worker, internal::v1::Program* program)>;
  void set_on_program(OnProgram on_program) { on_program_ = std::move(on_program); }
  // Takes outputs over that lie in files; without it they are nobody's.
  void set_payloads(LivePayloads* payloads) { payloads_ = payloads; }

  // The body of its fiber: until cancelled. **Parks.**
  absl::Status Run();

  // Dropped if there is no link: Hello settles the difference.
  void Send(internal::v1::ControlFrame frame);
  enum class Stacks { kNo, kYes };
  // Null if there is no link, or too many queries are under way.
  std::shared_ptr<FiberQuery> QueryFibers(uint64_t after, int32_t limit, Stacks stacks);
  std::shared_ptr<GreenQuery> QueryGreenCalls(int32_t limit);
  // `ask` and `http` but for the request's id.
  std::shared_ptr<ValuesQuery> QueryValues(internal::v1::ReadValues ask);
  std::shared_ptr<InjectQuery> QueryInject(v1::InjectHttpRequestRequest http);
  // Gives it up. No effect if it is done.
  void ForgetQuery(const FiberQuery& query) { queries_.erase(query.id); }
  void ForgetQuery(const GreenQuery& query) { green_queries_.erase(query.id); }
  void ForgetQuery(const ValuesQuery& query) { values_queries_.erase(query.id); }
  void ForgetQuery(const InjectQuery& query) { inject_queries_.erase(query.id); }

  bool linked() const { return linked_.ready(); }
  // Whether the worker has said something that was not read yet.
  bool HasUnread() const { return session_ != nullptr && session_->HasUnread(); }
  // Until there is a link. **Parks.**
  absl::Status AwaitLinked() { return linked_.Wait(); }
  // Until all that was sent is with the kernel, or the link is gone. **Parks.**
  absl::Status AwaitWritten() { return outbox_.AwaitWritten(); }
  int32_t worker() const { return worker_; }

 private:
  absl::StatusOr<Socket> Connect();
  // From Hello to the end of the stream; why it ended. The pauses begin anew once Hello was
  // accepted.
  absl::Status Serve(Socket socket, Backoff& pauses);
  absl::Status TakeHello(link::Session& session);
  absl::Status TakeFrame(std::string_view bytes);
  template <typename Reply>
  using Queries = absl::flat_hash_map<uint64_t, std::shared_ptr<LinkQuery<Reply>>>;
  template <typename Reply>
  std::shared_ptr<LinkQuery<Reply>> Begin(Queries<Reply>& queries);
  void TakeReplies(internal::v1::WorkerFrame& frame);
  void Unlink(const absl::Status& why);

  const int32_t worker_;
  const std::string path_;
  EngineDriver& driver_;
  InsideCalls& inside_;
  std::function<internal::v1::ControlFrame()> greeting_;
  OnProgram on_program_;
  LivePayloads* payloads_ = nullptr;

  // Set while there is a link.
  Event linked_;
  // While there is a link, or may soon be.
  link::Session* session_ = nullptr;
  Outbox outbox_{kLinkBacklogBytesMax, tasks::kFrameInputBytesMax};
  uint64_t next_query_ = 1;
  Queries<internal::v1::ListFibersReply> queries_;
  Queries<internal::v1::ListGreenCallsReply> green_queries_;
  Queries<internal::v1::ReadValuesReply> values_queries_;
  Queries<internal::v1::InjectReply> inject_queries_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_WORKER_LINK_H_
