// Connection: one client's connection, from accept to close, on one fiber.
//
// It answers requests in order. While complete requests stand in its buffer it only gathers
// responses; they leave in one write before it waits for more. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_CONNECTION_H_
#define GROVE_SERVER_HTTP_SERVING_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "http/message/parser.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/descriptor_table.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timeout.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/io/socket.h"
#include "server/http/handler/handler.h"
#include "server/http/handler/router.h"
#include "server/http/serving/body_reader.h"
#include "server/http/serving/connection_state.h"
#include "server/http/serving/ingress.h"
#include "server/http/serving/options.h"
#include "server/http/serving/peer.h"
#include "server/http/serving/request_account.h"
#include "server/http/serving/response_writer.h"
#include "server/http/serving/standing_fields.h"
#include "server/http/serving/stats.h"
#include "server/http/serving/switched_transport.h"
#include "server/http/serving/wire.h"

namespace grove::http {

// What an unread request body may cost us for the connection's sake.
inline constexpr uint64_t kDiscardBytesMax = 64 * 1024;
// While turns of the hub are shorter than this, and no more fibers are runnable than one turn runs
// by default, a connection lets the others go first before it sends.
inline constexpr absl::Duration kBriefTurn = absl::Milliseconds(1);
inline constexpr size_t kFewRunnable = 256;
// Read at once, and dropped, after an end that the client did not ask for.
inline constexpr size_t kLingerReadBytes = 16 * 1024;
// Then a client that is silent for this long has heard the server's last answer, or will not: the
// drain waits for those that still send.
inline constexpr absl::Duration kDrainSilenceMax = absl::Seconds(1);
// Of one batch, answered after Drain(): more than fit the read buffer, fewer than for ever.
inline constexpr int kDrainRequestsMax = 256;

class Connection final : private ResponseWriter::Owner,
                         private Exchange,
                         private DescriptorTable::HangupWatch {
 public:
  // All but `socket` must outlive it. `peer`: as SocketAddress has it. `ingress`: null for plain
  // HTTP from the first byte on.
  Connection(Socket socket, std::string peer, const Ingress* ingress, const ServerOptions& options,
             const std::shared_ptr<const Router>& router, StandingFields& standing,
             ServerStats& stats, BlockPool& blocks);

  // Serves until either side ends it; then it is closed. **Parks.**
  void Run();
  // Serves the request under way and those read behind it, the last with "Connection: close";
  // closes at once if there is none. A client that was answered less than request_grace ago gets
  // the rest of it for a request that may be on its way, one that has asked for nothing yet all of
  // it. Who took the connection over is told. From any fiber.
  void Drain();
  // Cancels the fiber that serves it, with the handler on it. From any fiber.
  void Cancel() {
    if (fiber_ != nullptr) fiber_->Cancel();
  }
  // Since when it does nothing but wait for its client: to begin, for a request or the rest of its
  // head, or for the client's end after ours.
  std::optional<MonotonicNanos> waiting_since() const;
  // Ends it soon, in favour of another connection; a request that the kernel holds already is
  // served first. Requires: waiting_since(). From any fiber.
  void MakeRoom() { wire_.StopReading(); }

 private:
  using Phase = ConnectionState::Phase;

  // Ends the wait for a first request.
  struct LastCall : Timer {
    explicit LastCall(Connection& connection) : Timer(&Fire), connection(connection) {}
    static void Fire(Timer& timer);
    Connection& connection;
  };

  // What comes before HTTP: a PROXY header, TLS. False if it failed.
  bool Begin(const Ingress& ingress);
  // Waits for a request's head; false if there is none to serve any more.
  bool AwaitHead();
  // Waits for a request's first byte; false if none comes.
  bool AwaitFirstByte();
  // Lets the requests that have come on other connections be answered before this one's answer is
  // sent: then answers leave one after the other, which costs the processor's caches less than a
  // send after each request. Not if that may take long: there are many, or the last turn was long.
  void LetOthersAnswer();
  // Reads on until the head is whole, or refused.
  RequestParser::Result AwaitRestOfHead();
  // Answers the request whose head was parsed; false if the connection ends with it.
  bool Serve();
  // False if it was refused.
  bool Admit(const RequestHead& head);
  // Runs the handler and what belongs to its end; the phase that follows.
  Phase Handle(const RequestHead& head);
  absl::Status RunHandler(Request& request, Response& response);
  void RunPostHooks(const Request& request, Response& response);
  // Answers for a handler that failed before it began. False if there is nobody to answer.
  void NoteFailure(const Request& request, const absl::Status& failure);
  bool AnswerFailure(const Request& request, const Response& response, const absl::Status& failure);
  // After the handler: whether the next request may follow, or how the connection ends.
  Phase Conclude();
  // Whether the client may be about to send, or has sent, what we don't want.
  bool DiscardRest();
  bool MayHaveMore() const;
  // `head`: of the request, if it was whole. Then the connection ends.
  void Refuse(const Refusal& refusal, const RequestHead* head);
  // Whether the target's scheme is not the one that the client used: such a resource is another's
  // (RFC 9110, 4.2.2 and 7.4).
  bool IsMisdirected(const RequestHead& head);
  // Tells a client of HTTP/2 that this server speaks HTTP/1.1.
  void RefuseHttp2();
  // For one whose head was refused, came too slowly, or not to its end.
  void CloseUnparsed(RequestAccount::End end);
  // The rest of a staged close, after our last byte.
  void Linger();
  // `body` and `exchange`: null for a refused one.
  Request MakeRequest(const RequestHead& head, BodySource* body, Exchange* exchange);
  void Abort();
  // The response under way is to be the last.
  bool IsEnding() const;

  bool MayKeepAlive() const override;
  void NoteContinue() override { body_.NoteContinue(); }
  absl::StatusOr<Transport*> HandOver() override;
  void CancelOnDisconnect() override;
  void OnHangup() override;

  const Ingress* const ingress_;
  const ServerOptions& options_;
  const std::shared_ptr<const Router>& router_;  // the server's, for the next request
  // That of the request under way or before, which it outlives.
  std::shared_ptr<const Router> own_router_;
  ServerStats& stats_;
  ConnectionState state_;
  Wire wire_;
  RequestParser parser_;
  BodyReader body_;
  ResponseWriter writer_;
  RequestAccount account_;
  Peer peer_;
  std::optional<SwitchedTransport> switched_;  // from kSwitched on
  MonotonicNanos waiting_since_ = 0;
  // The request was answered before its body had come.
  bool discards_rest_ = false;
  uint64_t served_ = 0;
  int served_while_draining_ = 0;
  Fiber* fiber_ = nullptr;           // that runs Run()
  Timeout* idle_timeout_ = nullptr;  // of its wait for a request; around all that it does
  LastCall last_call_{*this};
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_CONNECTION_H_
