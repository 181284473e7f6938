// Subprocess: a child process with pipes, waited for on the hub.
//
// The child starts with default signals, nothing blocked, no descriptor but 0, 1, 2 and what the
// options name, and leads its own process group, so that what it starts is signalled with it. One
// fiber waits at a time. Nobody else in the process may reap its children (wait(2) of any, SIGCHLD
// ignored). Hub thread only.
#ifndef GROVE_RUNTIME_IO_SUBPROCESS_H_
#define GROVE_RUNTIME_IO_SUBPROCESS_H_

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/io/socket.h"

namespace grove {

struct SubprocessOptions {
  enum class Stream { kNull, kPipe, kInherit };
  Stream in = Stream::kNull;
  Stream out = Stream::kPipe;
  Stream err = Stream::kPipe;
  // The child's 3, 4, …: copies; these stay this process's.
  std::vector<int> descriptors;
  // "NAME=value"; unset: this process's.
  std::optional<std::vector<std::string>> environment;
  std::string directory;  // empty: this process's
};

struct ExitStatus {
  int code = 0;    // of exit(3)
  int signal = 0;  // that ended it, else 0
  bool ok() const { return code == 0 && signal == 0; }
};

struct CommunicateOptions {
  // Per stream.
  size_t output_bytes_max = 16 * 1024 * 1024;
  // Then SIGTERM, and after `grace` SIGKILL.
  absl::Duration timeout = absl::InfiniteDuration();
  absl::Duration grace = absl::Seconds(5);
};

class Subprocess {
 public:
  struct Output {
    ExitStatus status;
    std::string out;
    std::string err;
  };

  // `command[0]` is looked up in PATH unless it has a slash. kNotFound, kPermissionDenied, … of the
  // program; kInvalidArgument: no command. Calls IgnoreBrokenPipes().
  static absl::StatusOr<Subprocess> Start(const std::vector<std::string>& command,
                                          const SubprocessOptions& options = {});
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&&) = delete;
  // SIGKILL if it still runs, and reaps it: takes this thread as long as the kernel needs to end
  // it.
  ~Subprocess();

  // Until it has ended; may be called again. **Parks.**
  absl::StatusOr<ExitStatus> Wait();
  // To its process group. kNotFound if it has been waited for.
  absl::Status Signal(int number);
  // SIGTERM, after `grace` SIGKILL. Interrupted before the end, it has not been killed. **Parks.**
  absl::StatusOr<ExitStatus> Terminate(absl::Duration grace);
  // Writes `input` to its stdin and closes that, collects what is piped, and waits. On failure it
  // has been ended: kDeadlineExceeded by its own time-out (gently), kResourceExhausted beyond the
  // bound, and what interrupts this fiber, by SIGKILL. Closes the pipes. **Parks.**
  absl::StatusOr<Output> Communicate(std::string_view input = {},
                                     const CommunicateOptions& options = {});

  pid_t pid() const { return pid_; }
  // Closed unless kPipe.
  Socket& in() { return in_; }
  Socket& out() { return out_; }
  Socket& err() { return err_; }

 private:
  Subprocess() = default;

  pid_t pid_ = -1;
  std::optional<ExitStatus> ended_;
  Socket pidfd_;
  Socket in_;
  Socket out_;
  Socket err_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_SUBPROCESS_H_
