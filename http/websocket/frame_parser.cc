#include "http/websocket/frame_parser.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grove::http::websocket {
namespace {

constexpr uint8_t kFinal = 0x80;
constexpr uint8_t kReserved1 = 0x40;
constexpr uint8_t kReserved23 = 0x30;
constexpr uint8_t kMasked = 0x80;
constexpr uint8_t kLength16 = 126;
constexpr uint8_t kLength64 = 127;

}  // namespace

FrameParser::Event FrameParser::Fail(uint16_t code, std::string reason) {
  stage_ = Stage::kBad;
  failure_ = {code, std::move(reason)};
  return Event::kBad;
}

FrameParser::Event FrameParser::CheckFirstByte() {
  const uint8_t opcode = bytes_[0] & 0x0f;
  if ((opcode > 2 && opcode < 8) || opcode > 10) {
    return Fail(kCloseProtocolError, "Unknown opcode received.");
  }
  head_.opcode = static_cast<Opcode>(opcode);
  head_.final = (bytes_[0] & kFinal) != 0;
  head_.compressed = (bytes_[0] & kReserved1) != 0;
  const bool control = IsControl(head_.opcode);
  const bool continuation = head_.opcode == Opcode::kContinuation;
  if ((bytes_[0] & kReserved23) != 0) return Fail(kCloseProtocolError, "RSV2 or RSV3 is set.");
  // The bit marks a message, so it stands on its first frame alone (RFC 7692, 6).
  if (head_.compressed && (!compression_ || control || continuation)) {
    return Fail(kCloseProtocolError, "RSV1 is set where nothing is compressed.");
  }
  if (control && !head_.final) return Fail(kCloseProtocolError, "A control frame is fragmented.");
  if (continuation && !in_message_) {
    return Fail(kCloseProtocolError, "A continuation without a message to continue.");
  }
  if (!control && !continuation && in_message_) {
    return Fail(kCloseProtocolError, "A new message within a fragmented one.");
  }
  return Event::kNeedMore;
}

FrameParser::Event FrameParser::CheckSecondByte() {
  const bool masked = (bytes_[1] & kMasked) != 0;
  if (!masked && role_ == Role::kServer) {
    return Fail(kCloseProtocolError,
                "A client MUST mask all frames that it sends to the server");  // RFC 6455, 5.1
  }
  if (masked && role_ == Role::kClient) {
    return Fail(kCloseProtocolError, "A server MUST NOT mask any frames that it sends");
  }
  if (IsControl(head_.opcode) && (bytes_[1] & ~kMasked) > kControlBytesMax) {
    return Fail(kCloseProtocolError, "A control frame is longer than 125 bytes.");
  }
  return Event::kNeedMore;
}

// Called when the length is whole. The shortest form is the only one (RFC 6455, 5.2).
FrameParser::Event FrameParser::CheckLength() {
  const uint8_t form = bytes_[1] & ~kMasked;
  uint64_t length = form;
  if (form >= kLength16) {
    length = 0;
    const size_t bytes = form == kLength16 ? 2 : 8;
    for (size_t i = 0; i < bytes; ++i) length = length << 8 | bytes_[2 + i];
    if (length >> 63 != 0) return Fail(kCloseProtocolError, "A frame's length is negative.");
    if (length < (form == kLength16 ? kLength16 : 0x10000)) {
      return Fail(kCloseProtocolError, "A frame's length is not in its shortest form.");
    }
  }
  if (length > frame_bytes_max_) {
    return Fail(kCloseTooBig,
                absl::StrCat("Incoming frame of ", length, " bytes is above length limit of ",
                             frame_bytes_max_, " bytes."));
  }
  head_.payload_bytes = length;
  return Event::kNeedMore;
}

size_t FrameParser::HeadBytesWanted() const {
  if (head_bytes_ < 2) return 2;
  const uint8_t form = bytes_[1] & ~kMasked;
  return 2 + (form == kLength16 ? 2 : form == kLength64 ? 8 : 0) + MaskBytes();
}

FrameParser::Event FrameParser::TakeHead(std::span<char>& bytes) {
  while (head_bytes_ < HeadBytesWanted()) {
    if (bytes.empty()) return Event::kNeedMore;
    bytes_[head_bytes_++] = static_cast<uint8_t>(bytes.front());
    bytes = bytes.subspan(1);
    Event event = Event::kNeedMore;
    if (head_bytes_ == 1) event = CheckFirstByte();
    if (head_bytes_ == 2) event = CheckSecondByte();
    if (event == Event::kNeedMore && head_bytes_ >= 2 &&
        head_bytes_ == HeadBytesWanted() - MaskBytes()) {
      event = CheckLength();
    }
    if (event == Event::kBad) return event;
  }
  std::memcpy(key_.data(), bytes_ + head_bytes_ - MaskBytes(), MaskBytes());
  head_bytes_ = 0;
  left_ = head_.payload_bytes;
  if (!IsControl(head_.opcode)) in_message_ = !head_.final;
  stage_ = Stage::kPayload;
  return Event::kHead;
}

FrameParser::Event FrameParser::Next(std::span<char>& bytes) {
  if (stage_ == Stage::kBad) return Event::kBad;
  if (stage_ == Stage::kHead) return TakeHead(bytes);
  if (left_ == 0) {
    stage_ = Stage::kHead;
    return Event::kEnd;
  }
  if (bytes.empty()) return Event::kNeedMore;
  payload_ = bytes.first(std::min<uint64_t>(bytes.size(), left_));
  bytes = bytes.subspan(payload_.size());
  if (role_ == Role::kServer) ApplyMask(payload_, key_, head_.payload_bytes - left_);
  left_ -= payload_.size();
  return Event::kPayload;
}

}  // namespace grove::http::websocket
