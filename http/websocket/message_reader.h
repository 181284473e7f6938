// MessageReader: the other end's bytes to whole messages and control frames, without I/O.
//
// It joins fragments, inflates, checks that texts are UTF-8 as they come (RFC 6455, 8.1), and
// bounds all of it. Hub independent; one user at a time.
#ifndef GROVE_HTTP_WEBSOCKET_MESSAGE_READER_H_
#define GROVE_HTTP_WEBSOCKET_MESSAGE_READER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "http/message/utf8.h"
#include "http/websocket/deflate_codec.h"
#include "http/websocket/frame.h"
#include "http/websocket/frame_parser.h"
#include "http/websocket/message_budget.h"
#include "http/websocket/permessage_deflate.h"

namespace grove::http::websocket {

enum class MessageType : uint8_t { kText, kBinary };

struct Message {
  MessageType type = MessageType::kText;
  std::string payload;
};

struct MessageLimits {
  // Of a message, before and after inflation; 1009 beyond.
  uint64_t message_bytes_max = 1 << 20;
  // Of a frame; 0: as a message.
  uint64_t frame_bytes_max = 0;
  // Fragments of a message; 1009 beyond. They cost time, not memory; a message of 4 MiB in pieces
  // of 64 bytes is fine.
  uint32_t fragments_max = 128 * 1024;
};

class MessageReader {
 public:
  enum class Event : uint8_t {
    kNeedMore,
    kMessage,  // TakeMessage()
    kPing,     // control_payload()
    kPong,     // control_payload()
    kClose,    // close(); nothing that follows counts
    kFailed,   // close(): what to tell the other end; from now on always
  };

  // `role`: ours. `deflate`: what was agreed on, if anything. `budget`: 1013 when it is used up;
  // must outlive this and what TakeCharge() gave; null: none.
  MessageReader(Role role, const MessageLimits& limits,
                const std::optional<DeflateAgreement>& deflate, MessageBudget* budget = nullptr);

  // Takes what it uses off the front of `bytes`, which it changes.
  Event Next(std::span<char>& bytes);

  Message TakeMessage() { return std::move(message_); }
  // Of that message: goes with it.
  MessageBudget::Charge TakeCharge() { return std::move(charge_); }
  const std::string& control_payload() const { return control_; }
  const CloseStatus& close() const { return close_; }
  // Payload still to come of the frame under way: how much there is to read.
  uint64_t payload_left() const { return parser_.payload_left(); }

 private:
  using Step = std::optional<Event>;  // nothing: go on

  Event Fail(uint16_t code, std::string reason);
  Step TakeHead();
  Step TakePayload(std::string_view payload);
  Step TakeEnd();
  Event EndControl();
  Event EndClose();
  Step Append(std::string_view bytes);
  Step FailInflating(Inflater::Result result);

  const MessageLimits limits_;
  FrameParser parser_;
  std::optional<Inflater> inflater_;
  Message message_;
  MessageBudget::Charge charge_;  // of message_
  Utf8Check utf8_;
  bool compressed_ = false;  // the message under way
  uint64_t wire_bytes_ = 0;  // of the message under way, as they came
  uint32_t fragments_ = 0;
  Step ended_;  // kClose or kFailed, once that has happened
  std::string control_;
  CloseStatus close_;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_MESSAGE_READER_H_
