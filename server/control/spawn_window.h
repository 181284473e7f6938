// SpawnWindow: how far a stream of spawns is read ahead of its answers.
//
// Bounds what one client's stream makes control hold: messages and bytes that came and whose
// answers the client does not have yet. Beyond that the stream is not read, and the transport makes
// the client wait. Pure; not thread-safe.
#ifndef GROVE_SERVER_CONTROL_SPAWN_WINDOW_H_
#define GROVE_SERVER_CONTROL_SPAWN_WINDOW_H_

#include <cstdint>

namespace grove::control {

// Enough that a disk with 2 ms a sync is never waited for: what comes meanwhile shares the next.
inline constexpr int64_t kUnansweredMessagesMax = 64;
inline constexpr int64_t kUnansweredBytesMax = 8 << 20;

class SpawnWindow {
 public:
  // One more has come. Whether the next may be read; if not, Release() says when.
  bool Take(int64_t bytes);
  // The client has the answer to one of that size. Whether reading stood still, and goes on now.
  bool Release(int64_t bytes);

  int64_t messages() const { return messages_; }
  int64_t bytes() const { return bytes_; }

 private:
  bool IsOpen() const { return messages_ < kUnansweredMessagesMax && bytes_ < kUnansweredBytesMax; }

  // Below 0 for a moment where the answer is quicker than who counts the message.
  int64_t messages_ = 0;
  int64_t bytes_ = 0;
  bool stands_ = false;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SPAWN_WINDOW_H_
