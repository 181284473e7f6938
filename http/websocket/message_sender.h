// MessageSender: the sending half of a WebSocket: messages to frames, one at a time.
//
// Messages of several fibers never mix; control frames go in between those of a long one. It knows
// the mask and the compression of its end of the connection. That the WebSocket closes is the
// session's to say: nothing is sent after that but its close frame. Hub thread only.
#ifndef GROVE_HTTP_WEBSOCKET_MESSAGE_SENDER_H_
#define GROVE_HTTP_WEBSOCKET_MESSAGE_SENDER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/transport/transport.h"
#include "http/websocket/deflate_codec.h"
#include "http/websocket/frame.h"
#include "http/websocket/frame_writer.h"
#include "http/websocket/mask.h"
#include "http/websocket/message_reader.h"
#include "http/websocket/permessage_deflate.h"
#include "http/websocket/session_state.h"
#include "runtime/sync/mutex.h"

namespace grove::http::websocket {

// The next piece of a message; an empty one is its end. May park.
using MessageSource = absl::AnyInvocable<absl::StatusOr<std::string>()>;

class MessageSender {
 public:
  struct Compression {
    int level = 6;
    // Shorter messages are sent as they are.
    size_t bytes_min = 64;
  };
  // What is returned in place of sending, once `state` says that the WebSocket closes.
  using Gone = absl::AnyInvocable<absl::Status() const>;

  // `role`: ours. `transport` and `state` must outlive it.
  MessageSender(Transport& transport, Role role, const std::optional<DeflateAgreement>& deflate,
                const Compression& compression, const SessionState& state, Gone gone);

  // **Park** while the peer doesn't take it, or another fiber sends.
  absl::Status Send(MessageType type, std::string_view payload);
  // As WebSocket::SendPieces().
  absl::Status SendPieces(MessageType type, MessageSource next);
  absl::Status SendControl(Opcode opcode, std::string_view payload);

  // Answers a ping. While somebody sends, that is left to who does; then only the last ping's is
  // sent (RFC 6455, 5.5.3). **Parks** while the peer doesn't take it.
  absl::Status Pong(const std::string& payload);
  // A message was begun and never will be ended: the WebSocket must close.
  bool half_sent() const { return half_sent_; }
  // Somebody sends a frame just now.
  bool busy() const { return turn_.owner() != nullptr; }

  // For the close frame, which is sent whatever the state says: held around WriteClose().
  Mutex& turn() { return turn_; }
  absl::Status WriteClose(uint16_t code, std::string_view reason);

 private:
  // Notes what a message was left as, however its sender was left.
  struct Unfinished {
    ~Unfinished() { sender.half_sent_ |= begun; }
    MessageSender& sender;
    bool begun = false;
  };

  FrameMask Mask();
  bool Compress(std::string_view payload, std::string& out);
  // One of a message whose sender holds `message_`.
  absl::Status SendFrame(FrameHead head, std::string_view payload);
  absl::Status WriteMasked(const FrameHead& head, std::string_view payload);
  // Of a message by pieces; an empty one is its end.
  absl::Status SendPiece(FrameHead& head, std::string_view piece);
  void SendOwedPong();

  Transport& transport_;
  const Role role_;
  const Compression compression_;
  const SessionState& state_;
  const Gone gone_;
  std::optional<Deflater> deflater_;

  // Held from a message's first frame to its last.
  Mutex message_;
  bool half_sent_ = false;
  // Held while a frame is sent; within `message_`.
  Mutex turn_;
  MaskKeys masks_;
  std::optional<std::string> owed_pong_;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_MESSAGE_SENDER_H_
