// FrameWriter: frames in the form in which a server sends them, unmasked. Pure.
#ifndef GROVE_HTTP_WEBSOCKET_FRAME_WRITER_H_
#define GROVE_HTTP_WEBSOCKET_FRAME_WRITER_H_

#include <string>
#include <string_view>

#include "http/websocket/frame.h"

namespace grove::http::websocket {

// The head of a frame whose payload follows; its length in the shortest form.
std::string FrameHeadBytes(const FrameHead& head);

// A whole control frame. Requires: at most kControlBytesMax of payload.
std::string ControlFrame(Opcode opcode, std::string_view payload);

// kCloseNoCode: without a payload. A reason that is too long is cut at a character's boundary.
std::string CloseFrame(uint16_t code, std::string_view reason);

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_FRAME_WRITER_H_
