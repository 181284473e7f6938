// LineQueue: lines that wait for a thread of their own, and the life of that thread.
//
// Who appends waits for no longer than a copy takes. The thread takes all that waits at once, a
// moment after the first line of it, in which more may come. What it does with lines, and what
// becomes of those that find no room, is its owner's: server/audit/audit_file.h keeps them,
// server/access_log/line_writer.h drops them. Any thread; Run() is the thread's own.
#ifndef GROVE_SERVER_LINE_QUEUE_H_
#define GROVE_SERVER_LINE_QUEUE_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grove {

class LineQueue {
 public:
  // Holds `bytes_max`; a batch is taken `gather` after its first line, or once half of that waits.
  LineQueue(absl::Duration gather, size_t bytes_max) : gather_(gather), bytes_max_(bytes_max) {}
  LineQueue(const LineQueue&) = delete;
  LineQueue& operator=(const LineQueue&) = delete;

  // False: there is no room, or the thread has ended.
  bool Append(std::string_view line);
  // The thread comes at once, also where nothing waits.
  void Hurry();
  // Has Run() end when all that waits is written, or after `patience`: then it has given up, and
  // what still waits is the caller's. Blocks.
  std::string Stop(absl::Duration patience);
  bool has_given_up() const;

  // Calls `write` with each batch, which may be empty, until the end.
  void Run(absl::FunctionRef<void(std::string& batch)> write);
  // Of `write`: false if it has given up meanwhile, or had before.
  bool Pause(absl::Duration time);

 private:
  // False at the end.
  bool Take(std::string& batch);

  const absl::Duration gather_;
  const size_t bytes_max_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;   // the thread
  std::condition_variable ended_;  // Stop()
  // Guarded by mutex_.
  std::string waiting_;
  bool hurries_ = false;
  bool stopping_ = false;
  bool has_given_up_ = false;
  bool has_ended_ = false;
};

// A thread that nobody joins, since what it writes to may hang in the kernel, and that takes no
// signals: they are for the threads that wait for them.
void StartDetached(std::function<void()> body);

// --- Files of lines, which several processes append to

// Made with mode 0640 if missing; what open(2) says.
absl::StatusOr<int> OpenForLines(const std::string& path);
// Whether the path leads to another file than `fd` now, or to none.
bool WasMoved(int fd, const std::string& path);
uint64_t CountLines(std::string_view text);

}  // namespace grove

#endif  // GROVE_SERVER_LINE_QUEUE_H_
