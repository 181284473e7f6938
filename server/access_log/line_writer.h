// LineWriter: brings lines to a file on a thread of its own, so that a slow disk holds nobody.
//
// Lines wait in a bounded queue; where that is full they are dropped and counted. The thread takes
// all that waits at once and writes it in one write(2), at most every kLineGatherTime; while there
// is nothing it sleeps. Several processes may write one file: it is opened with O_APPEND, so whole
// batches follow each other. Into a pipe or terminal, pieces of at most PIPE_BUF bytes go, which
// the kernel keeps in one as well.
#ifndef GROVE_SERVER_ACCESS_LOG_LINE_WRITER_H_
#define GROVE_SERVER_ACCESS_LOG_LINE_WRITER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grove::access_log {

// A line is in the file this much later, if that takes them; many lines go in one call.
inline constexpr absl::Duration kLineGatherTime = absl::Milliseconds(50);

// Any thread may read it.
struct LineWriterStats {
  std::atomic<uint64_t> lines{0};    // written
  std::atomic<uint64_t> dropped{0};  // the queue was full, or writing failed
};

class LineWriter {
 public:
  // Opens `path`, which is made with mode 0640 if missing; "-" is the standard output. The queue
  // holds `queue_bytes_max`. kInvalidArgument and what open(2) says.
  static absl::StatusOr<std::unique_ptr<LineWriter>> Open(const std::string& path,
                                                          size_t queue_bytes_max);
  // As Stop(), without patience.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Starts the thread; not before the last fork. Until then lines wait.
  void Start();
  // Ends it when all that waits is written, or after `patience`; what is left then is dropped. A
  // write that hangs in the kernel is left to the process' end. Blocks.
  void Stop(absl::Duration patience);

  // Any thread. Takes a lock that is only ever held for as long as a copy takes.

  // `line` with its '\n'. False: it was dropped.
  bool Append(std::string_view line);
  // Opens the path anew before the next write. That happens by itself when the file there is
  // another one, or none: after a rename by logrotate(8).
  void Reopen();
  const LineWriterStats& stats() const;

 private:
  struct Shared;
  explicit LineWriter(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  // Also the thread's, which may outlive us.
  const std::shared_ptr<Shared> shared_;
  bool started_ = false;
};

}  // namespace grove::access_log

#endif  // GROVE_SERVER_ACCESS_LOG_LINE_WRITER_H_
