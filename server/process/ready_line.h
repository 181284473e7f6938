// The ready line: how a child tells the supervisor, once, that it serves.
//
//   ready\n                            a worker
//   control=ADDRESS admin=ADDRESS\n    control, with the ports that the kernel chose
//
// It goes through a pipe of the child's own, which is closed after it. Written and read here alone.
#ifndef GROVE_SERVER_PROCESS_READY_LINE_H_
#define GROVE_SERVER_PROCESS_READY_LINE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::process {

struct ControlAddresses {
  std::string grpc;
  std::string admin;

  friend bool operator==(const ControlAddresses&, const ControlAddresses&) = default;
};

// Lines without their end.
std::string FormatWorkerReady();
std::string FormatControlReady(const ControlAddresses& addresses);
// kInvalidArgument shows a line that is none of control's.
absl::StatusOr<ControlAddresses> ParseControlReady(std::string_view line);

// In the child: writes `line` with its end, and closes `ready_fd`. kUnavailable: nobody reads it.
absl::Status SendReadyLine(int ready_fd, std::string_view line);

// ReadyLineReader: the supervisor's end of one child's pipe. Never blocks.
class ReadyLineReader {
 public:
  // Whatever is longer is no ready line.
  static constexpr size_t kBytesMax = 1024;
  enum class Outcome {
    kMore,      // nothing yet, or not all of it
    kComplete,  // line() is whole; the pipe is closed
    kNone,      // the child closed it before, or sent too much; the pipe is closed
  };

  // Of no pipe.
  ReadyLineReader() = default;
  // Takes over `fd`, which is non-blocking, behind what came of it already.
  explicit ReadyLineReader(int fd, std::string line = "") : fd_(fd), line_(std::move(line)) {}
  ReadyLineReader(ReadyLineReader&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), line_(std::move(other.line_)) {}
  ReadyLineReader& operator=(ReadyLineReader&& other) noexcept;
  ~ReadyLineReader() { Close(); }

  // Requires: open().
  Outcome Read();
  void Close();

  bool open() const { return fd_ >= 0; }
  // To be polled.
  int fd() const { return fd_; }
  const std::string& line() const { return line_; }

 private:
  int fd_ = -1;
  std::string line_;
};

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_READY_LINE_H_
