// ReadFrame, WriteFrame: one message of the link on a byte stream.
//
// A frame is a 4-byte big-endian length and that many bytes (proto/grove/internal/v1/link.proto).
// Knows nothing of what the bytes say. Reading and writing: hub thread only, on a fiber.
#ifndef GROVE_SERVER_LINK_FRAME_H_
#define GROVE_SERVER_LINK_FRAME_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/socket.h"

namespace grove::link {

// What link.proto allows.
inline constexpr size_t kFrameBytesMax = size_t{64} << 20;

// A frame's beginning, for those who read and write without a hub. Requires: `bytes` has as many.
inline constexpr size_t kFrameHeaderBytes = 4;
std::array<char, kFrameHeaderBytes> EncodeFrameLength(uint32_t length);
uint32_t DecodeFrameLength(std::string_view bytes);

// The next frame's bytes. kOutOfRange: the stream ended between two frames. kUnavailable: it ended
// inside one, or broke. kInvalidArgument: a length above `bytes_max`; the stream is of no more use.
// **Parks.**
absl::StatusOr<std::string> ReadFrame(Socket& socket, size_t bytes_max = kFrameBytesMax);

// kInvalidArgument, and nothing is written, above kFrameBytesMax. **Parks.**
absl::Status WriteFrame(Socket& socket, std::string_view bytes);

}  // namespace grove::link

#endif  // GROVE_SERVER_LINK_FRAME_H_
