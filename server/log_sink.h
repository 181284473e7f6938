// LogSink: brings log lines to a descriptor whose reader may have stopped, and never waits for it.
//
// Lines wait in a bounded queue; where that is full they are dropped, counted, and the count is
// told in their place. A process with threads writes on one of its own (Start()); the supervisor,
// which forks and so has none, writes what is taken at once and goes on when its loop finds the
// descriptor writable (WaitsFor()). The descriptor is shared with others, so it is not set to
// O_NONBLOCK itself: a pipe or terminal is opened once more by /proc/self/fd (proc(5)), a socket is
// sent to with MSG_DONTWAIT.
#ifndef GROVE_SERVER_LOG_SINK_H_
#define GROVE_SERVER_LOG_SINK_H_

#include <sys/stat.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "absl/time/time.h"

namespace grove {

inline constexpr size_t kLogQueueBytesMax = 1 << 20;

class LogSink {
 public:
  // `fd` is borrowed. `tell_lost` makes the line that says how many were dropped; it is called
  // under a lock and must not log.
  LogSink(int fd, std::function<std::string(uint64_t)> tell_lost,
          size_t queue_bytes_max = kLogQueueBytesMax);
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // Any thread. `line` with its '\n'.
  void Append(std::string_view line);
  // Lines dropped so far.
  uint64_t dropped() const;

  // Starts the thread; not before the last fork.
  void Start();
  // Writes what waits, for as long as `patience` at the most, and ends the thread. Blocks.
  void Stop(absl::Duration patience);
  // Without a thread. The descriptor to wait for POLLOUT of, before Drain(); -1: nothing waits.
  int WaitsFor();
  void Drain();
  // In a forked child: what waits is the parent's to write.
  void Forget();

 private:
  enum class Kind { kPlain, kOwn, kSocket, kPolled };

  // All under the lock.
  void FindTarget();
  bool Put(std::string_view line);
  // Once half of the queue is free: else each gap of some bytes would be told.
  void TellLost();
  // Writes what the descriptor takes now.
  void WriteSome();
  // Bytes taken; -1 with errno.
  ssize_t WriteNow(std::string_view piece) const;
  void ThreadLoop();

  const int fd_;
  const std::function<std::string(uint64_t)> tell_lost_;
  const size_t queue_bytes_max_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  struct stat seen_ {};
  Kind kind_ = Kind::kPlain;
  int own_fd_ = -1;  // of kOwn
  std::string queue_;
  size_t written_ = 0;  // of queue_
  uint64_t lost_ = 0;   // not told yet
  uint64_t dropped_ = 0;
  bool stopping_ = false;
  bool threaded_ = false;

  std::thread thread_;
};

}  // namespace grove

#endif  // GROVE_SERVER_LOG_SINK_H_
