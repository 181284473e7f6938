#include "http/websocket/message_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grove::http::websocket {
namespace {

// Deflate makes what it can't compress longer by five bytes per block; ours may be of 16 KiB, and
// some senders' are much shorter.
uint64_t WireBytesMax(const MessageLimits& limits) {
  return limits.message_bytes_max + limits.message_bytes_max / 64 + 64;
}

uint64_t FrameBytesMax(const MessageLimits& limits, bool compression) {
  if (limits.frame_bytes_max != 0) return limits.frame_bytes_max;
  return compression ? WireBytesMax(limits) : limits.message_bytes_max;
}

}  // namespace

MessageReader::MessageReader(Role role, const MessageLimits& limits,
                             const std::optional<DeflateAgreement>& deflate, MessageBudget* budget)
    : limits_(limits),
      parser_(role, FrameBytesMax(limits, deflate.has_value()), deflate.has_value()),
      charge_(budget) {
  if (!deflate.has_value()) return;
  if (role == Role::kServer) {
    inflater_.emplace(deflate->client_window_bits, !deflate->client_no_context_takeover);
  } else {
    inflater_.emplace(deflate->server_window_bits, !deflate->server_no_context_takeover);
  }
}

MessageReader::Event MessageReader::Fail(uint16_t code, std::string reason) {
  ended_ = Event::kFailed;
  close_ = {code, std::move(reason)};
  message_ = {};
  charge_.GiveBack();
  return Event::kFailed;
}

MessageReader::Event MessageReader::Next(std::span<char>& bytes) {
  while (!ended_.has_value()) {
    Step step;
    switch (parser_.Next(bytes)) {
      case FrameParser::Event::kNeedMore:
        return Event::kNeedMore;
      case FrameParser::Event::kHead:
        step = TakeHead();
        break;
      case FrameParser::Event::kPayload: {
        const std::span<char> payload = parser_.payload();
        step = TakePayload({payload.data(), payload.size()});
        break;
      }
      case FrameParser::Event::kEnd:
        step = TakeEnd();
        break;
      case FrameParser::Event::kBad:
        return Fail(parser_.failure().code, parser_.failure().reason);
    }
    if (step.has_value()) return *step;
  }
  bytes = {};
  return *ended_;
}

MessageReader::Step MessageReader::TakeHead() {
  const FrameHead& head = parser_.head();
  if (IsControl(head.opcode)) {
    control_.clear();
    return {};
  }
  if (head.opcode != Opcode::kContinuation) {
    message_.type = head.opcode == Opcode::kText ? MessageType::kText : MessageType::kBinary;
    message_.payload.clear();
    compressed_ = head.compressed;
    wire_bytes_ = 0;
    fragments_ = 0;
    utf8_.Reset();
  }
  if (++fragments_ > limits_.fragments_max) {
    return Fail(kCloseTooBig,
                absl::StrCat("A message of more than ", limits_.fragments_max, " fragments."));
  }
  // Known before its payload comes. Neither sum overflows: the parser bounds the frame.
  wire_bytes_ += head.payload_bytes;
  const uint64_t bytes_max = compressed_ ? WireBytesMax(limits_) : limits_.message_bytes_max;
  if (wire_bytes_ > bytes_max) {
    return Fail(kCloseTooBig, absl::StrCat("Incoming message is above length limit of ",
                                           limits_.message_bytes_max, " bytes."));
  }
  return {};
}

MessageReader::Step MessageReader::Append(std::string_view bytes) {
  // In the order of the bytes, so that the code does not depend on how they arrive.
  const uint64_t room = limits_.message_bytes_max - message_.payload.size();
  if (message_.type == MessageType::kText && !utf8_.Feed(bytes.substr(0, room))) {
    return Fail(kCloseInvalidPayload, "A text message is not UTF-8.");
  }
  if (bytes.size() > room) {
    return Fail(kCloseTooBig, absl::StrCat("Incoming compressed frame exceeds length limit of ",
                                           limits_.message_bytes_max, " bytes."));
  }
  if (!charge_.Add(bytes.size())) {
    return Fail(kCloseTryAgainLater, "Too many unfinished messages here.");
  }
  message_.payload.append(bytes);
  return {};
}

MessageReader::Step MessageReader::FailInflating(Inflater::Result result) {
  if (ended_.has_value()) return ended_;  // Append() said why
  if (result == Inflater::Result::kMalformed) {
    return Fail(kCloseInvalidPayload, "A compressed message is malformed.");
  }
  if (result == Inflater::Result::kNoMemory) return Fail(kCloseInternalError, "Out of memory.");
  return {};
}

MessageReader::Step MessageReader::TakePayload(std::string_view payload) {
  if (IsControl(parser_.head().opcode)) {
    control_.append(payload);
    return {};
  }
  if (!compressed_) return Append(payload);
  return FailInflating(
      inflater_->Add(payload, [this](std::string_view bytes) { return !Append(bytes); }));
}

MessageReader::Step MessageReader::TakeEnd() {
  const FrameHead& head = parser_.head();
  if (IsControl(head.opcode)) return EndControl();
  if (!head.final) return {};
  if (compressed_) {
    const Step failed =
        FailInflating(inflater_->Finish([this](std::string_view bytes) { return !Append(bytes); }));
    if (failed.has_value()) return failed;
  }
  if (message_.type == MessageType::kText && !utf8_.AtBoundary()) {
    return Fail(kCloseInvalidPayload, "A text message ends within a character.");
  }
  return Event::kMessage;
}

MessageReader::Event MessageReader::EndControl() {
  if (parser_.head().opcode == Opcode::kClose) return EndClose();
  return parser_.head().opcode == Opcode::kPing ? Event::kPing : Event::kPong;
}

MessageReader::Event MessageReader::EndClose() {
  if (control_.size() == 1) return Fail(kCloseProtocolError, "A close code of one byte.");
  CloseStatus close;
  if (!control_.empty()) {
    close.code = static_cast<uint16_t>(static_cast<uint8_t>(control_[0]) << 8 |
                                       static_cast<uint8_t>(control_[1]));
    close.reason = control_.substr(2);
    if (!IsSendableCloseCode(close.code)) {
      return Fail(kCloseProtocolError, "Unexpected close status code.");
    }
    if (!IsUtf8(close.reason)) return Fail(kCloseInvalidPayload, "A close reason is not UTF-8.");
  }
  ended_ = Event::kClose;
  close_ = std::move(close);
  return Event::kClose;
}

}  // namespace grove::http::websocket
