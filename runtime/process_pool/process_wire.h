// What a ProcessPool and its children say to each other on their socket: heads, each followed by
// its bytes. Both are the same machine's, so that numbers lie as they lie in memory.
#ifndef GROVE_RUNTIME_PROCESS_POOL_PROCESS_WIRE_H_
#define GROVE_RUNTIME_PROCESS_POOL_PROCESS_WIRE_H_

#include <cstdint>

namespace grove {

// The child's end of the socket.
inline constexpr int kProcessChannel = 3;

// Then the function's name, then the request.
struct ProcessRequestHead {
  uint32_t function_bytes;
  uint32_t request_bytes;
};

// Then the reply, or the error's text.
struct ProcessReplyHead {
  uint32_t code;  // absl::StatusCode
  uint32_t reply_bytes;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_PROCESS_POOL_PROCESS_WIRE_H_
