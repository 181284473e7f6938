// FrameWriter: frames as either end sends them: a server without, a client with a mask. Pure.
#ifndef GROVE_HTTP_WEBSOCKET_FRAME_WRITER_H_
#define GROVE_HTTP_WEBSOCKET_FRAME_WRITER_H_

#include <optional>
#include <string>
#include <string_view>

#include "http/websocket/frame.h"
#include "http/websocket/mask.h"

namespace grove::http::websocket {

// None: unmasked.
using FrameMask = std::optional<MaskKey>;

// The head of a frame whose payload follows, masked with `mask`; its length in the shortest form.
std::string FrameHeadBytes(const FrameHead& head, const FrameMask& mask = {});

// A whole control frame. Requires: at most kControlBytesMax of payload.
std::string ControlFrame(Opcode opcode, std::string_view payload, const FrameMask& mask = {});

// kCloseNoCode: without a payload. A reason that is too long is cut at a character's boundary.
std::string CloseFrame(uint16_t code, std::string_view reason, const FrameMask& mask = {});

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_FRAME_WRITER_H_
