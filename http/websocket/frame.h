// Frame: the vocabulary of RFC 6455, section 5: opcodes, close codes and a frame's head.
#ifndef GROVE_HTTP_WEBSOCKET_FRAME_H_
#define GROVE_HTTP_WEBSOCKET_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace grove::http::websocket {

// Which end of the connection we are. The client masks what it sends; the server must not (RFC
// 6455, 5.1).
enum class Role : uint8_t { kServer, kClient };

enum class Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

inline bool IsControl(Opcode opcode) {
  return static_cast<uint8_t>(opcode) >= 8;
}

// RFC 6455, 7.4.1. The last two stand for what came, and are never sent.
inline constexpr uint16_t kCloseNormal = 1000;
inline constexpr uint16_t kCloseGoingAway = 1001;
inline constexpr uint16_t kCloseProtocolError = 1002;
inline constexpr uint16_t kCloseUnsupported = 1003;
inline constexpr uint16_t kCloseInvalidPayload = 1007;
inline constexpr uint16_t kClosePolicy = 1008;
inline constexpr uint16_t kCloseTooBig = 1009;
inline constexpr uint16_t kCloseInternalError = 1011;
inline constexpr uint16_t kCloseTryAgainLater = 1013;
inline constexpr uint16_t kCloseNoCode = 1005;    // a close frame without a code
inline constexpr uint16_t kCloseAbnormal = 1006;  // no close frame

// Whether a close frame may carry it: 1000 to 1003, 1007 to 1014 and 3000 to 4999. IANA's registry
// has added 1012 (restart), 1013 (try again later) and 1014 (bad gateway) to RFC 6455's.
inline bool IsSendableCloseCode(uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

// RFC 6455, 5.5.
inline constexpr size_t kControlBytesMax = 125;
// Without the two bytes of the code.
inline constexpr size_t kCloseReasonBytesMax = kControlBytesMax - 2;
// Two bytes, a length of eight, a mask of four.
inline constexpr size_t kFrameHeadBytesMax = 14;

struct FrameHead {
  bool final = false;
  bool compressed = false;  // RSV1 (RFC 7692, 6)
  Opcode opcode = Opcode::kContinuation;
  uint64_t payload_bytes = 0;
};

// What a close frame says, and why we fail a connection.
struct CloseStatus {
  uint16_t code = kCloseNoCode;
  std::string reason;  // UTF-8
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_FRAME_H_
