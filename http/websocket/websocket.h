// WebSocket: messages both ways over a connection that was switched to it, at either end of it (RFC
// 6455).
//
// Beside the fibers that use it, one reads all the time: it answers pings and the close, also while
// they are busy elsewhere; it asks a silent peer for a sign of life; it fails a peer that breaks
// the protocol. Messages wait in a short queue; when that is full, nothing is read until some are
// taken: the peer feels it.
//
// Closing: either side sends a close frame and waits for the other's, for at most close_timeout.
// The peer's is answered when what came before it has been dealt with (the next message is asked
// for), or a second later.
//
// At the server a route's function uses it, on a fiber of its own. When that returns, the WebSocket
// closes: 1000, or 1011 if it failed. When the server drains, 1001. At the client whoever connected
// uses it.
// Hub thread only.
#ifndef GROVE_HTTP_WEBSOCKET_WEBSOCKET_H_
#define GROVE_HTTP_WEBSOCKET_WEBSOCKET_H_

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http/transport/transport.h"
#include "http/websocket/frame.h"
#include "http/websocket/handshake_fields.h"
#include "http/websocket/message_budget.h"
#include "http/websocket/message_reader.h"
#include "http/websocket/message_sender.h"
#include "http/websocket/session_state.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/sync/event.h"

namespace grove::http {

using websocket::Message;
using websocket::MessageType;

// What does not depend on the end.
struct WebSocketSessionOptions {
  websocket::MessageLimits limits;
  // Of the messages of all WebSockets that have the same; must outlive them. Null: unbounded.
  websocket::MessageBudget* budget = nullptr;
  // Of the compressor, 1 (fast) to 9.
  int deflate_level = 6;
  // Shorter messages are sent as they are: they hardly shrink.
  size_t deflate_bytes_min = 64;
  // Received and not yet taken by Receive(): reading stops beyond either.
  size_t queued_messages_max = 64;
  size_t queued_bytes_max = 256 * 1024;
  // A peer that was silent for this long is sent a ping, unless a message is just being sent;
  // InfiniteDuration: never.
  absl::Duration ping_interval = absl::Seconds(30);
  // Without any sign of life for this long after that ping has left, it is given up. While the peer
  // takes what was sent before the ping, the ping waits behind that, and nothing is asked of it
  // yet.
  absl::Duration pong_timeout = absl::Seconds(20);
  // For the peer's close frame after ours.
  absl::Duration close_timeout = absl::Seconds(5);
};

class WebSocket {
 public:
  // Use WebSocketHandler() or websocket::Connect(). `role`: ours. All must outlive it.
  WebSocket(Transport& transport, websocket::Role role, const WebSocketSessionOptions& options,
            const websocket::Agreement& agreed);
  // Requires: Serve() or Run() has returned, or was never called.
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // --- For its users: a function and its fibers, until it returns; who connected ----------------

  // The next message; nothing once either side has closed. kUnavailable: the peer is gone without a
  // close, or, at the client, has closed with another code than 1000, 1001 or none;
  // kInvalidArgument: it broke the protocol; kResourceExhausted: it exceeded a limit. What was
  // received before is delivered first. **Parks.**
  absl::StatusOr<std::optional<Message>> Receive();

  // A whole message; those of several fibers never mix. kInvalidArgument: a text that is not UTF-8;
  // kUnavailable: the peer is gone, or the WebSocket closes. **Parks** while the peer doesn't take
  // it, or another fiber sends.
  absl::Status Send(MessageType type, std::string_view payload);
  absl::Status SendText(std::string_view text) { return Send(MessageType::kText, text); }
  absl::Status SendBinary(std::string_view bytes) { return Send(MessageType::kBinary, bytes); }

  // A message in fragments, for one whose size is not known or that is not to be held whole. Other
  // messages wait until its end; control frames go in between. Beside the errors of Send(), that of
  // `next`: then, or if a text is not UTF-8, the WebSocket closes with 1011 if a piece has been
  // sent, since that can't be taken back. **Parks** as Send().
  absl::Status SendPieces(MessageType type, websocket::MessageSource next);

  // A ping of at most 125 bytes. Its pong is not reported. **Parks** as Send().
  absl::Status Ping(std::string_view payload = {});

  // Begins to close; a function should return soon. kInvalidArgument: a code that may not be sent,
  // or a reason that is not UTF-8 or longer than 123 bytes. OK if it closes already. **Parks** as
  // Send().
  absl::Status Close(uint16_t code = websocket::kCloseNormal, std::string_view reason = {});

  bool closing() const { return state_.closing(); }
  // What the peer's close frame said; kCloseAbnormal if there was none (yet).
  const websocket::CloseStatus& peer_close() const { return peer_close_; }
  const std::string& subprotocol() const { return agreed_.subprotocol; }
  bool compressed() const { return agreed_.deflate.has_value(); }

  // --- For WebSocketHandler() and websocket::Connect() -------------------------------------------

  // Runs `function` and the protocol, to the end of both. The function's status, but OK where it
  // merely passes on how the connection ended. **Parks.**
  absl::Status Serve(const std::function<absl::Status()>& function);
  // The client's: the protocol alone, until nothing more is read. **Parks.**
  void Run();

 private:
  // Ends the wait for the peer's close frame.
  struct CloseTimer : Timer {
    explicit CloseTimer(WebSocket& socket) : Timer(&Fire), socket(socket) {}
    static void Fire(Timer& timer);
    WebSocket& socket;
  };
  // Closes when the function's fiber ends, however it does.
  struct FunctionEnd {
    ~FunctionEnd();
    WebSocket& socket;
    absl::Status status = absl::UnknownError("the function threw");
  };

  // Closes if a message was left half sent, however its sender was left.
  struct HalfMessage {
    ~HalfMessage();
    WebSocket& socket;
  };

  bool is_client() const { return role_ == websocket::Role::kClient; }
  void Read();
  // Deals with what was read; false if nothing more is to be read.
  bool TakeInput();
  bool TakeMessage();
  void AnswerPing();
  void TakeClose();
  // Its failure ends the session.
  void FailPeer();
  // Lets the function answer what came before the end; bounded.
  void AwaitAnswers();
  bool AwaitMore();
  // A sign of life is due: asks for it.
  void PingSilent();
  // It has not come in time: whether the peer can have been asked for so long at all.
  bool MayStillAnswer();
  // How long the peer may be silent now.
  absl::Duration SilenceMax() const;
  void End(absl::Status status);
  void AwaitFunction(FiberHandle& function);
  void AwaitCloser();
  bool IsSettled() const;
  absl::Status SendClose(uint16_t code, std::string_view reason);
  void SendLastClose(uint16_t code, std::string_view reason);
  // From where one must not park: a fiber of its own closes.
  void CloseSoon(uint16_t code);
  absl::Status Gone() const;
  std::string_view PeerName() const { return is_client() ? "server" : "client"; }

  Transport& transport_;
  const websocket::Role role_;
  const WebSocketSessionOptions& options_;
  const websocket::Agreement& agreed_;
  websocket::MessageReader reader_;

  websocket::SessionState state_;
  websocket::MessageSender sender_;

  // Received.
  struct Received {
    Message message;
    websocket::MessageBudget::Charge charge;
  };
  std::deque<Received> queue_;
  size_t queued_bytes_ = 0;
  Event arrived_;  // or ended
  Event taken_;    // or closing
  Event settled_;  // the function has dealt with all that was received, or ended
  // Beside the phases: in each that reads, the peer may owe a sign of life.
  struct Asked {
    int64_t ping_end = 0;  // where the ping ends, in what was written
    int64_t taken = 0;     // by the peer, when we looked last
    bool left = false;     // the peer had the ping by then
  };
  std::optional<Asked> asked_;  // since the last sign
  absl::Status end_status_;
  websocket::CloseStatus peer_close_{websocket::kCloseAbnormal, {}};

  CloseTimer close_timer_{*this};
  FiberHandle closer_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_WEBSOCKET_WEBSOCKET_H_
