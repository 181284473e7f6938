#include "http/websocket/frame_writer.h"

#include "runtime/hub/check.h"

namespace grove::http::websocket {
namespace {

void AppendBigEndian(uint64_t number, int bytes, std::string& text) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    text += static_cast<char>(number >> shift & 0xff);
  }
}

}  // namespace

std::string FrameHeadBytes(const FrameHead& head, const FrameMask& mask) {
  const int masked = mask.has_value() ? 0x80 : 0;
  std::string bytes;
  bytes += static_cast<char>((head.final ? 0x80 : 0) | (head.compressed ? 0x40 : 0) |
                             static_cast<uint8_t>(head.opcode));
  if (head.payload_bytes <= kControlBytesMax) {
    bytes += static_cast<char>(masked | static_cast<int>(head.payload_bytes));
  } else if (head.payload_bytes <= 0xffff) {
    bytes += static_cast<char>(masked | 126);
    AppendBigEndian(head.payload_bytes, 2, bytes);
  } else {
    bytes += static_cast<char>(masked | 127);
    AppendBigEndian(head.payload_bytes, 8, bytes);
  }
  if (mask.has_value()) bytes.append(mask->data(), mask->size());
  return bytes;
}

std::string ControlFrame(Opcode opcode, std::string_view payload, const FrameMask& mask) {
  GROVE_CHECK(payload.size() <= kControlBytesMax, "a control frame is too long");
  std::string frame =
      FrameHeadBytes({.final = true, .opcode = opcode, .payload_bytes = payload.size()}, mask);
  const size_t head_bytes = frame.size();
  frame.append(payload);
  if (mask.has_value()) ApplyMask(std::span(frame).subspan(head_bytes), *mask, 0);
  return frame;
}

std::string CloseFrame(uint16_t code, std::string_view reason, const FrameMask& mask) {
  std::string payload;
  if (code != kCloseNoCode) {
    AppendBigEndian(code, 2, payload);
    size_t bytes = reason.size();
    if (bytes > kCloseReasonBytesMax) {
      bytes = kCloseReasonBytesMax;
      while (bytes > 0 && (static_cast<uint8_t>(reason[bytes]) & 0xc0) == 0x80) --bytes;
    }
    payload.append(reason.substr(0, bytes));
  }
  return ControlFrame(Opcode::kClose, payload, mask);
}

}  // namespace grove::http::websocket
