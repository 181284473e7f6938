// WebSocket: one client's WebSocket, as a handler's function sees it (RFC 6455).
//
// The function runs on a fiber of its own. Beside it the connection's fiber reads all the time: it
// answers pings and the close, also while the function is busy elsewhere; it asks a silent client
// for a sign of life; it fails a client that breaks the protocol. Messages wait in a short queue;
// when that is full, nothing is read until the function takes some: the client feels it.
//
// Closing: either side sends a close frame and waits for the other's, for at most close_timeout.
// The client's is answered when the function has dealt with what came before it.
// When the function returns, the WebSocket closes: 1000, or 1011 if it failed. When the server
// drains, 1001. Hub thread only.
#ifndef GROVE_SERVER_HTTP_WEBSOCKET_WEBSOCKET_H_
#define GROVE_SERVER_HTTP_WEBSOCKET_WEBSOCKET_H_

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http/websocket/deflate_codec.h"
#include "http/websocket/message_budget.h"
#include "http/websocket/message_reader.h"
#include "http/websocket/session_state.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/sync/event.h"
#include "runtime/sync/mutex.h"
#include "server/http/handler/handler.h"
#include "server/http/websocket/handshake.h"

namespace grove::http {

using websocket::Message;
using websocket::MessageType;

struct WebSocketOptions {
  // Subprotocols, origins, compression. By default compression is taken if a client offers it.
  websocket::HandshakePolicy handshake{.subprotocols = {},
                                       .origins = {},
                                       .origin_allowed = {},
                                       .deflate = websocket::DeflatePolicy()};
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
  // A client that was silent for this long is sent a ping, unless a message is just being sent;
  // InfiniteDuration: never.
  absl::Duration ping_interval = absl::Seconds(30);
  // Without any sign of life for this long after that ping has left, it is given up. While the
  // client takes what was sent before the ping, the ping waits behind that, and nothing is asked of
  // the client yet.
  absl::Duration pong_timeout = absl::Seconds(20);
  // For the client's close frame after ours.
  absl::Duration close_timeout = absl::Seconds(5);
};

class WebSocket {
 public:
  // Use WebSocketHandler(). All must outlive it.
  WebSocket(Transport& transport, const WebSocketOptions& options,
            const websocket::Handshake& handshake);
  // Requires: Serve() has returned, or was never called.
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // --- For the function and its fibers, until the function returns ------------------------------

  // The next message; nothing once either side has closed. kUnavailable: the client is gone without
  // a close; kInvalidArgument: it broke the protocol; kResourceExhausted: it exceeded a limit.
  // What was received before is delivered first. **Parks.**
  absl::StatusOr<std::optional<Message>> Receive();

  // A whole message; those of several fibers never mix. kInvalidArgument: a text that is not UTF-8;
  // kUnavailable: the client is gone, or the WebSocket closes. **Parks** while the client doesn't
  // take it, or another fiber sends.
  absl::Status Send(MessageType type, std::string_view payload);
  absl::Status SendText(std::string_view text) { return Send(MessageType::kText, text); }
  absl::Status SendBinary(std::string_view bytes) { return Send(MessageType::kBinary, bytes); }

  // A ping of at most 125 bytes. Its pong is not reported. **Parks** as Send().
  absl::Status Ping(std::string_view payload = {});

  // Begins to close; the function should return soon. kInvalidArgument: a code that may not be
  // sent, or a reason that is not UTF-8 or longer than 123 bytes. OK if it closes already.
  // **Parks** as Send().
  absl::Status Close(uint16_t code = websocket::kCloseNormal, std::string_view reason = {});

  bool closing() const { return state_.closing(); }
  // What the client's close frame said; kCloseAbnormal if there was none (yet).
  const websocket::CloseStatus& peer_close() const { return peer_close_; }
  const std::string& subprotocol() const { return handshake_.subprotocol; }
  bool compressed() const { return handshake_.deflate.has_value(); }

  // --- For WebSocketHandler() --------------------------------------------------------------------

  // Runs `function` and the protocol, to the end of both. The function's status, but OK where it
  // merely passes on how the connection ended. **Parks.**
  absl::Status Serve(const std::function<absl::Status()>& function);

 private:
  // Ends the wait for the client's close frame.
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

  void Read();
  // Deals with what was read; false if nothing more is to be read.
  bool TakeInput();
  bool TakeMessage();
  // Lets the function answer what came before the end; bounded.
  void AwaitAnswers();
  bool AwaitMore();
  // A sign of life is due: asks for it.
  void PingSilent();
  // It has not come in time: whether the client can have been asked for so long at all.
  bool MayStillAnswer();
  // How long the client may be silent now.
  absl::Duration SilenceMax() const;
  void End(absl::Status status);
  void AwaitFunction(FiberHandle& function);
  bool IsSettled() const;
  absl::Status SendControl(websocket::Opcode opcode, std::string_view payload);
  absl::Status SendClose(uint16_t code, std::string_view reason);
  // From where one must not park: a fiber of its own closes.
  void CloseSoon(uint16_t code);
  absl::Status WriteMessage(MessageType type, std::string_view payload);
  bool Compress(std::string_view payload, std::string& out);
  absl::Status Gone() const;

  Transport& transport_;
  const WebSocketOptions& options_;
  const websocket::Handshake& handshake_;
  websocket::MessageReader reader_;
  std::optional<websocket::Deflater> deflater_;

  websocket::SessionState state_;

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
  // Beside the phases: in each that reads, the client may owe a sign of life.
  struct Asked {
    int64_t ping_end = 0;  // where the ping ends, in what was written
    int64_t taken = 0;     // by the client, when we looked last
    bool left = false;     // the client had the ping by then
  };
  std::optional<Asked> asked_;  // since the last sign
  absl::Status end_status_;
  websocket::CloseStatus peer_close_{websocket::kCloseAbnormal, {}};

  // Held while a frame is sent.
  Mutex sending_;
  CloseTimer close_timer_{*this};
  FiberHandle closer_;
};

// Runs on a fiber; the request's views are valid until it returns. Fibers that it starts must have
// let go of the WebSocket by then. An error or an exception closes with 1011.
using WebSocketFunction = std::function<absl::Status(WebSocket& socket, const Request& request)>;

// A Handler that answers a request's handshake and runs `function`; other requests get 400, 403,
// 405 or 426.
Handler WebSocketHandler(WebSocketOptions options, WebSocketFunction function);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_WEBSOCKET_WEBSOCKET_H_
